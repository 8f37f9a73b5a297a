"""Varying training images, and cropping those that are not varied."""

import numpy as np
import torch
from torchvision.transforms import v2

from xmirad.imaging.preprocessing import Preprocessing
from xmirad.training.data import IndexArray
from xmirad.training.images import ImageCache
from xmirad.training.recipe import AugmentationRecipe


class Augmentation:
    """Makes a batch's input from images of the cache. Draws from torch's global generator: seed it first."""

    def __init__(self, recipe: AugmentationRecipe, preprocessing: Preprocessing) -> None:
        """Prepare the transforms."""
        self._preprocessing = preprocessing
        self._recipe = recipe
        self._plain = v2.CenterCrop(preprocessing.crop_size)

    @property
    def full_size(self) -> int:
        """Side of the model's input in pixels."""
        return self._preprocessing.crop_size

    def varied(self, images: ImageCache, indices: IndexArray, *, size: int) -> torch.Tensor:
        """Return varied images, normalized, `[N, 3, size, size]`."""
        transform = _transforms(self._recipe, self._preprocessing, size=size)
        return self._batch([transform(_tensor(images, index)) for index in indices.tolist()])

    def plain(self, images: ImageCache, indices: range) -> torch.Tensor:
        """Return the images as a search sees them, normalized, `[N, 3, S, S]`."""
        return self._batch([self._plain(_tensor(images, index)) for index in indices])

    def _batch(self, images: list[torch.Tensor]) -> torch.Tensor:
        recipe = self._preprocessing
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (recipe.mean, recipe.std))
        batch = torch.stack(images).float().sub_(mean).div_(std)
        return batch.contiguous(memory_format=torch.channels_last)


class _QuarterTurns(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.rot90(image, int(torch.randint(4, ())), (-2, -1))


def _tensor(images: ImageCache, index: int) -> torch.Tensor:
    return torch.from_numpy(np.array(images[index])).permute(2, 0, 1)


def _transforms(recipe: AugmentationRecipe, preprocessing: Preprocessing, *, size: int) -> v2.Transform:
    steps: list[torch.nn.Module] = []
    if recipe.rotation:
        steps.append(v2.RandomRotation(recipe.rotation, interpolation=v2.InterpolationMode.BILINEAR))
    if recipe.crop == "random":
        steps.append(v2.RandomResizedCrop(size, scale=(recipe.smallest_area, 1.0), antialias=True))
    else:
        steps.append(v2.CenterCrop(size))
    if recipe.horizontal_flip:
        steps.append(v2.RandomHorizontalFlip())
    if recipe.vertical_flip:
        steps.append(v2.RandomVerticalFlip())
    if recipe.quarter_turns:
        steps.append(_QuarterTurns())
    color = (recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue)
    if any(color):
        steps.append(v2.ColorJitter(*color))
    if recipe.erasing:
        middle = [round(value) for value in preprocessing.mean]
        steps.append(v2.RandomErasing(p=recipe.erasing, value=middle))
    return v2.Compose(steps)
