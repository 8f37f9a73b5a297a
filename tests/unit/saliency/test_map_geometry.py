import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from xmirad.errors import InvalidRequestError
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE, prepare
from xmirad.saliency.geometry import Point, on_picture, to_map, to_original
from xmirad.types import ImageGeometry

IDENTITY = ImageGeometry(8, 8, 8, 8, 0, 0, 8)


def geometry_of(width: int, height: int) -> ImageGeometry:
    return prepare(Image.new("L", (width, height)), EFFICIENTNET_LITE)[1]


@settings(deadline=None)
@given(st.integers(64, 900), st.integers(64, 900), st.floats(0, 223), st.floats(0, 223))
def test_there_and_back_is_the_same_place(width: int, height: int, row: float, column: float) -> None:
    geometry = geometry_of(width, height)
    there = to_original(geometry, Point(row, column))
    back = to_map(geometry, there)
    assert (back.row, back.column) == pytest.approx((row, column), abs=1e-6)
    assert -0.5 <= there.row < height - 0.5
    assert -0.5 <= there.column < width - 0.5


@pytest.mark.parametrize(("width", "height"), [(300, 400), (1024, 700), (256, 256)])
def test_a_mark_on_the_original_is_found_on_the_map(width: int, height: int) -> None:
    row, column = height // 2 + 20, width // 2 - 30
    pixels = np.zeros((height, width), np.uint8)
    pixels[row - 4 : row + 5, column - 4 : column + 5] = 255
    prepared, geometry = prepare(Image.fromarray(pixels), EFFICIENTNET_LITE)
    mark = prepared[:, :, 0].astype(float)
    rows, columns = np.indices(mark.shape)
    center = Point(float((rows * mark).sum() / mark.sum()), float((columns * mark).sum() / mark.sum()))
    found = to_original(geometry, center)
    assert (found.row, found.column) == pytest.approx((row, column), abs=0.2)


def test_places_that_the_model_does_not_see_are_refused() -> None:
    geometry = geometry_of(600, 300)
    for point, words in [(Point(-1, 5), "the image"), (Point(150, 600), "the image"), (Point(150, 3), "model sees")]:
        with pytest.raises(InvalidRequestError, match=words) as refusal:
            to_map(geometry, point)
        assert refusal.value.field == "point"


def test_a_map_is_laid_where_it_was_cropped_from() -> None:
    geometry = geometry_of(600, 300)
    laid = on_picture(geometry, np.ones((224, 224), np.float32), height=300, width=600)
    seen = np.zeros((300, 600), bool)
    for row in range(300):
        for column in range(600):
            place = Point((row + 0.5) * 256 / 300 - 0.5 - 16, (column + 0.5) * 512 / 600 - 0.5 - 144)
            seen[row, column] = -0.5 <= place.row < 223.5 and -0.5 <= place.column < 223.5
    np.testing.assert_array_equal(laid > 0, seen)
    np.testing.assert_allclose(laid[seen], 1, rtol=1e-6)


def test_without_crop_and_resizing_a_map_lies_as_it_is() -> None:
    values = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    np.testing.assert_allclose(on_picture(IDENTITY, values, height=8, width=8), values, atol=1e-6)


def test_a_picture_of_half_the_size_gets_half_the_map() -> None:
    geometry = geometry_of(600, 300)
    values = np.add.outer(np.arange(224.0), np.arange(224.0)).astype(np.float32)
    whole = on_picture(geometry, values, height=300, width=600)
    half = on_picture(geometry, values, height=150, width=300)
    averaged = whole.reshape(150, 2, 300, 2).mean(axis=(1, 3))
    inner = np.s_[15:135, 95:205]
    np.testing.assert_allclose(half[inner], averaged[inner], atol=1e-3)
