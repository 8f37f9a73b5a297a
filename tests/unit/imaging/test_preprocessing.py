import time

import numpy as np
import pytest
from PIL import Image

from xmirad.imaging.preprocessing import EFFICIENTNET_LITE, IMAGENET, Interpolation, Preprocessing, prepare

SIZES = [(256, 256), (224, 224), (300, 257), (257, 300), (1024, 1023), (255, 1001), (97, 64), (640, 41), (333, 500)]


def random_image(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width * 10_000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize("recipe", [EFFICIENTNET_LITE, IMAGENET], ids=["bicubic", "bilinear"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_prepare_gives_the_pixels_of_torchvision(size: tuple[int, int], recipe: Preprocessing) -> None:
    transforms = pytest.importorskip("torchvision.transforms", reason="torchvision is not installed")
    image = random_image(*size)
    mode = transforms.InterpolationMode(recipe.interpolation.value)
    expected = transforms.Compose([transforms.Resize(256, interpolation=mode), transforms.CenterCrop(224)])(image)
    pixels, _ = prepare(image, recipe)
    np.testing.assert_array_equal(pixels, np.asarray(expected))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_geometry_describes_the_resized_image_and_the_crop(size: tuple[int, int]) -> None:
    image = random_image(*size)
    pixels, geometry = prepare(image, EFFICIENTNET_LITE)
    resized = image.resize((geometry.resized_width, geometry.resized_height), Image.Resampling.BICUBIC)
    window = np.asarray(resized)[geometry.crop_top :, geometry.crop_left :][: geometry.crop_size, : geometry.crop_size]
    np.testing.assert_array_equal(pixels, window)
    assert (geometry.original_width, geometry.original_height) == size
    assert min(geometry.resized_width, geometry.resized_height) == 256


@pytest.mark.parametrize("recipe", [EFFICIENTNET_LITE, IMAGENET], ids=["lite", "imagenet"])
def test_normalize_equals_the_formula_bit_for_bit(recipe: Preprocessing) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    mean, std = np.array(recipe.mean, np.float32), np.array(recipe.std, np.float32)
    expected = ((pixels.astype(np.float32) - mean) / std).transpose(2, 0, 1)
    np.testing.assert_array_equal(recipe.normalize(pixels), expected)


def test_normalize_writes_to_the_buffer_that_it_is_given() -> None:
    pixels = np.full((4, 4, 3), 255, np.uint8)
    buffer = np.zeros((3, 4, 4), np.float32)
    assert EFFICIENTNET_LITE.normalize(pixels, out=buffer) is buffer
    np.testing.assert_array_equal(buffer, np.ones((3, 4, 4), np.float32))


def test_normalize_takes_well_under_a_millisecond() -> None:
    pixels, buffer = np.zeros((224, 224, 3), np.uint8), np.empty((3, 224, 224), np.float32)
    seconds = []
    for _ in range(20):
        begin = time.thread_time()
        EFFICIENTNET_LITE.normalize(pixels, out=buffer)
        seconds.append(time.thread_time() - begin)
    assert min(seconds) < 0.001


def test_recipe_survives_json() -> None:
    assert Preprocessing.from_json(IMAGENET.to_json()) == IMAGENET


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"interpolation": "nearest"},
        {"crop_size": 224.0},
        {"crop_size": True},
        {"crop_size": 257},
        {"crop_size": 0},
        {"mean": [1.0, 2.0]},
        {"mean": "123"},
        {"mean": [float("nan"), 0.0, 0.0]},
        {"std": [1.0, 0.0, 1.0]},
    ],
    ids=str,
)
def test_a_wrong_recipe_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each message is another
        Preprocessing.from_json(IMAGENET.to_json() | change)


def test_a_recipe_without_a_key_is_refused() -> None:
    data = IMAGENET.to_json()
    del data["std"]
    with pytest.raises(ValueError, match="exactly the keys"):
        Preprocessing.from_json(data)


def test_digest_depends_on_geometry_only() -> None:
    other_mean = Preprocessing(256, Interpolation.BICUBIC, 224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert other_mean.digest == EFFICIENTNET_LITE.digest
    digests = {
        Preprocessing(side, filter_, crop, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).digest
        for side in (256, 257)
        for crop in (224, 225)
        for filter_ in Interpolation
    }
    assert len(digests) == 8
