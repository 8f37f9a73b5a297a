"""How training images are varied."""

import numpy as np
import torch

from xmirad.models.building.architectures import RECIPES
from xmirad.models.definition import Architecture
from xmirad.training.augmentation import Augmentation
from xmirad.training.images import ImageCache
from xmirad.training.recipe import AugmentationRecipe

PREPROCESSING = RECIPES[Architecture.EFFICIENTNET_LITE0].preprocessing
SIDE = PREPROCESSING.crop_size


def test_quarter_turns_show_an_image_in_all_four_positions_and_change_no_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    images = ImageCache(pixels.reshape(-1), [(SIDE, SIDE)])
    augmentation = Augmentation(AugmentationRecipe(quarter_turns=True), PREPROCESSING)
    plain = augmentation.plain(images, range(1))[0]
    torch.manual_seed(0)

    varied = augmentation.varied(images, np.zeros(40, dtype=np.int64), size=SIDE)

    positions = [torch.rot90(plain, turns, (-2, -1)) for turns in range(4)]
    seen = {next(turns for turns in range(4) if torch.equal(image, positions[turns])) for image in varied}
    assert seen == {0, 1, 2, 3}
