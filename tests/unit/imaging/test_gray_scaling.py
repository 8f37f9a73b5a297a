import numpy as np
import pytest

from xmirad.imaging.scaling import percentile_range, thinned, to_gray_levels


def test_levels_are_rounded_to_the_nearest_and_clipped() -> None:
    values = np.array([-1e9, 0, 1, 2.49, 2.51, 255, 256, 1e300])
    np.testing.assert_array_equal(to_gray_levels(values, 0, 255), [0, 0, 1, 2, 3, 255, 255, 255])


def test_without_a_range_there_is_black_and_white() -> None:
    np.testing.assert_array_equal(to_gray_levels(np.array([4, 5, 6]), 5, 5), [0, 0, 255])


def test_percentiles_leave_out_the_outermost_pixels_and_what_is_no_number() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1001.0))
    values[values == 1000] = np.inf
    values[values == 0] = np.nan
    assert percentile_range(values) == (5.0, 994.0)


@pytest.mark.parametrize("values", [np.array([]), np.array([np.nan, -np.inf])])
def test_no_pixels_have_no_range(values: np.typing.NDArray[np.float64]) -> None:
    assert percentile_range(values) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("shape", "step"), [((1024, 1024), 1), ((1025, 1024), 2), ((3000, 3000), 3), ((16, 65536), 1), ((16, 65537), 2)]
)
def test_large_images_are_thinned_evenly(shape: tuple[int, int], step: int) -> None:
    pixels = np.broadcast_to(np.arange(shape[1]), shape)
    np.testing.assert_array_equal(thinned(pixels), pixels[::step, ::step])
    assert thinned(pixels).size <= 1 << 20
