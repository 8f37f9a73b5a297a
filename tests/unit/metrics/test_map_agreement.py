"""Structural similarity and rank correlation against slow, obvious oracles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmirad.metrics.rank_correlation import rank_correlation
from xmirad.metrics.ssim import RADIUS, SIGMA, SMALLEST_SIDE, ssim
from xmirad.types import Float32Array


def maps(seed: int, *, rows: int = 17, columns: int = 14) -> tuple[Float32Array, Float32Array]:
    generator = np.random.default_rng(seed)
    first, noise = generator.random((2, rows, columns), dtype=np.float32)
    return first, np.clip(0.6 * first + 0.4 * noise, 0, 1).astype(np.float32)


def slow_ssim(first: Float32Array, second: Float32Array) -> float:
    """Window by window, pixel by pixel."""
    offsets = range(-RADIUS, RADIUS + 1)
    weights = {(i, j): np.exp(-(i * i + j * j) / (2 * SIGMA**2)) for i in offsets for j in offsets}
    total = sum(weights.values())
    values = []
    for row in range(RADIUS, first.shape[0] - RADIUS):
        for column in range(RADIUS, first.shape[1] - RADIUS):
            x = {at: float(first[row + at[0], column + at[1]]) for at in weights}
            y = {at: float(second[row + at[0], column + at[1]]) for at in weights}
            mean_x = sum(weights[at] * x[at] for at in weights) / total
            mean_y = sum(weights[at] * y[at] for at in weights) / total
            var_x = sum(weights[at] * (x[at] - mean_x) ** 2 for at in weights) / total
            var_y = sum(weights[at] * (y[at] - mean_y) ** 2 for at in weights) / total
            both = sum(weights[at] * (x[at] - mean_x) * (y[at] - mean_y) for at in weights) / total
            luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
            values.append(luminance * (2 * both + 9e-4) / (var_x + var_y + 9e-4))
    return float(np.mean(values))


def slow_rank_correlation(first: list[int], second: list[int]) -> float:
    """Ranks by counting, correlation by its definition."""

    def ranks(values: list[int]) -> list[float]:
        return [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]

    x, y = ranks(first), ranks(second)
    mean = sum(x) / len(x)
    both = sum((a - mean) * (b - mean) for a, b in zip(x, y, strict=True))
    spread = sum((a - mean) ** 2 for a in x) * sum((b - mean) ** 2 for b in y)
    return both / spread**0.5 if spread else float("nan")


@pytest.mark.parametrize("seed", range(3))
def test_structural_similarity_is_that_of_the_slow_definition(seed: int) -> None:
    first, second = maps(seed)
    assert ssim(first, second) == pytest.approx(slow_ssim(first, second), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_structural_similarity_is_that_of_scikit_image(seed: int) -> None:
    first, second = maps(seed, rows=60, columns=47)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    reference = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    expected = reference.structural_similarity(first.astype(np.float64), second.astype(np.float64), **options)
    assert ssim(first, second) == pytest.approx(expected, abs=1e-9)


def test_a_map_is_wholly_like_itself_and_the_order_of_two_does_not_matter() -> None:
    first, second = maps(5)
    assert ssim(first, first) == pytest.approx(1.0)
    assert ssim(first, second) == pytest.approx(ssim(second, first))
    assert ssim(first, 1 - first) < 0


def test_two_empty_maps_are_alike() -> None:
    assert ssim(np.zeros((20, 20)), np.zeros((20, 20))) == pytest.approx(1.0)


@pytest.mark.parametrize("shapes", [((20, 20), (20, 21)), ((10, 20), (10, 20)), ((SMALLEST_SIDE,), (SMALLEST_SIDE,))])
def test_maps_that_cannot_be_compared_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="equally large"):
        ssim(np.zeros(shapes[0]), np.zeros(shapes[1]))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_rank_correlation_is_that_of_the_slow_definition_with_ties(pairs: list[tuple[int, int]]) -> None:
    first, second = map(list, zip(*pairs, strict=True))
    expected = slow_rank_correlation(first, second)
    assert rank_correlation(first, second) == pytest.approx(expected, nan_ok=True)


def test_rank_correlation_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    first, second = maps(7)
    expected = stats.spearmanr(first.ravel(), second.ravel()).statistic
    assert rank_correlation(first, second) == pytest.approx(expected)


def test_only_the_order_matters_to_rank_correlation() -> None:
    first, second = maps(8)
    assert rank_correlation(np.exp(3 * first), second) == pytest.approx(rank_correlation(first, second))
    assert rank_correlation(first, first) == pytest.approx(1.0)
    assert rank_correlation(first, -first) == pytest.approx(-1.0)


def test_a_map_that_is_the_same_everywhere_has_no_rank_correlation() -> None:
    assert np.isnan(rank_correlation(np.zeros((3, 3)), np.arange(9)))


@pytest.mark.parametrize(("first", "second"), [([], []), ([1.0], [1.0, 2.0])])
def test_values_that_are_not_as_many_are_refused(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match="as many"):
        rank_correlation(first, second)
