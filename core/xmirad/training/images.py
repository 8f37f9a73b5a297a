"""Training images decoded once and kept as pixels."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from xmirad.datasets import DatasetItem
from xmirad.errors import InvalidImageError, XmiradError
from xmirad.ids import canonical_digest, image_digest
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.sandbox import DecoderPool
from xmirad.training.masks import Masks
from xmirad.types import EncodedImage, UInt8Array

Advance = Callable[[int, int], None]


class ImageCache:
    """Images with their shorter side at the model's size, `[height, width, 3]` uint8 each, in one mapped file.

    Sizes are mixed: only the shorter side is brought to one length, nothing is cropped. The file is a cache and may be
    deleted; its name is a digest of the images' content and of what was done to them.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], shapes: npt.NDArray[np.int64]) -> None:
        """Keep the pixels of all images, one after the other, and their heights and widths, `[N, 2]`."""
        self._pixels = pixels
        self._shapes = shapes
        self._ends = np.cumsum(shapes.prod(axis=1) * 3)

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self._shapes)

    def __getitem__(self, index: int) -> UInt8Array:
        """Return an image's pixels; they are not to be written to."""
        height, width = self._shapes[index]
        end = self._ends[index]
        return self._pixels[end - height * width * 3 : end].reshape(height, width, 3)


def decode_images(
    items: Sequence[DatasetItem],
    recipe: Preprocessing,
    *,
    folder: Path,
    decoder: DecoderPool,
    masks: Masks | None,
    advance: Advance,
) -> ImageCache:
    """Decode images in the sandbox, or find them decoded.

    Args:
        items: The images.
        recipe: Gives the length of the shorter side and the filter.
        folder: Where decoded images are kept.
        decoder: The sandbox.
        masks: Blanks what is outside a region, or None.
        advance: Is told how many of how many are done.

    Raises:
        InvalidImageError: If images cannot be read; the message names the first ones.
    """
    encoded = [item.path.read_bytes() for item in items]
    content = [
        [image_digest(data, item.frame), masks.digest(item) if masks else ""]
        for item, data in zip(items, encoded, strict=True)
    ]
    stem = folder / canonical_digest([recipe.resize_shorter_side, recipe.interpolation.value, content])
    pixels_file, shapes_file = stem.with_suffix(".pixels.npy"), stem.with_suffix(".shapes.npy")
    if not (pixels_file.is_file() and shapes_file.is_file()):
        images = _decoded(items, encoded, recipe, decoder=decoder, masks=masks, advance=advance)
        folder.mkdir(parents=True, exist_ok=True)
        _write(shapes_file, np.array([image.shape[:2] for image in images], dtype=np.int64))
        _write(pixels_file, np.concatenate([image.ravel() for image in images]))
    return ImageCache(np.load(pixels_file, mmap_mode="r"), np.load(shapes_file))


def shrink(picture: UInt8Array, recipe: Preprocessing) -> UInt8Array:
    """Bring an image's shorter side to the length that the model's recipe begins with, `[height, width, 3]`."""
    image = Image.fromarray(picture)
    side = recipe.resize_shorter_side
    shorter, longer = sorted(image.size)
    long_side = int(side * longer / shorter)
    size = (side, long_side) if image.width <= image.height else (long_side, side)
    return np.array(image.resize(size, recipe.interpolation.resampling))


def _decoded(
    items: Sequence[DatasetItem],
    encoded: Sequence[bytes],
    recipe: Preprocessing,
    *,
    decoder: DecoderPool,
    masks: Masks | None,
    advance: Advance,
) -> list[UInt8Array]:
    images: list[UInt8Array] = []
    unreadable: list[str] = []
    for done, (item, data) in enumerate(zip(items, encoded, strict=True), start=1):
        try:
            picture = decoder.picture(EncodedImage(data, frame=item.frame))
        except XmiradError as error:
            unreadable.append(f"{item.path.name} ({error.message})")
        else:
            images.append(shrink(masks.blank(item, picture) if masks else picture, recipe))
        advance(done, len(items))
    if unreadable:
        shown = "; ".join(unreadable[:5])
        message = f"{len(unreadable)} of {len(items)} images cannot be read: {shown}"
        raise InvalidImageError(message, field="data", metadata={"unreadable": str(len(unreadable))})
    return images


def _write(path: Path, array: npt.NDArray[np.generic]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
