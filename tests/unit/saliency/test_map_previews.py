from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.levels import levels, walk
from xmirad.saliency.preview import estimated_error, interpolated, preview_errors

LATTICE = WindowLattice(size=224)
LEVELS = levels(LATTICE)


def plane(slope: float) -> np.ndarray:
    """Return responses that rise evenly from top left to bottom right, in the order of the walk."""
    rows, columns = np.divmod(walk(LATTICE), 49)
    return 1.0 + slope * rows + 2 * slope * columns


def bumps(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(2401)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: str(level.windows))
def test_what_changes_evenly_is_predicted_from_every_level(level: object) -> None:
    assert level in LEVELS
    predicted = interpolated(LATTICE, LEVELS[LEVELS.index(level)], plane(0.1))
    np.testing.assert_allclose(predicted.ravel()[walk(LATTICE)], plane(0.1), atol=1e-9)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32))
def test_a_preview_is_exact_where_windows_were_evaluated(seed: int) -> None:
    responses = bumps(seed)
    for level in LEVELS:
        predicted = interpolated(LATTICE, level, responses[: level.windows]).ravel()[walk(LATTICE)]
        np.testing.assert_allclose(predicted[: level.windows], responses[: level.windows], atol=1e-12)


def test_between_windows_a_preview_is_bilinear() -> None:
    responses = bumps(0)
    grid = np.zeros((49, 49))
    grid.flat[walk(LATTICE)] = responses
    predicted = interpolated(LATTICE, LEVELS[0], responses)
    row, column = 9, 30  # a quarter below row 8, half right of column 28
    expected = 0.75 * (grid[8, 28] + grid[8, 32]) / 2 + 0.25 * (grid[12, 28] + grid[12, 32]) / 2
    assert predicted[row, column] == pytest.approx(expected)


def test_a_checkerboard_is_filled_with_the_mean_of_neighbors_and_along_the_border() -> None:
    responses = bumps(1)
    grid = np.zeros((49, 49))
    grid.flat[walk(LATTICE)] = responses
    predicted = interpolated(LATTICE, LEVELS[2], responses)
    assert predicted[10, 21] == pytest.approx((grid[9, 21] + grid[11, 21] + grid[10, 20] + grid[10, 22]) / 4)
    assert predicted[0, 7] == pytest.approx((grid[0, 6] + grid[0, 8]) / 2)
    assert predicted[7, 48] == pytest.approx((grid[6, 48] + grid[8, 48]) / 2)


def test_the_first_level_has_no_estimate_and_the_others_compare_with_the_level_before() -> None:
    responses = bumps(2)
    assert estimated_error(LATTICE, LEVELS[0], responses, signed=False) is None
    for before, level in pairwise(LEVELS):
        predicted = interpolated(LATTICE, before, responses).ravel()[walk(LATTICE)]
        new = range(before.windows, level.windows)
        worst = max(abs(max(predicted[i], 0) - max(responses[i], 0)) for i in new)
        expected = worst / max(responses[: level.windows])
        assert estimated_error(LATTICE, level, responses, signed=False) == pytest.approx(expected)


def test_errors_of_all_previews_are_listed_for_an_exact_map() -> None:
    responses = bumps(3)
    errors = preview_errors(LATTICE, responses, signed=True)
    assert len(errors) == 3
    assert errors[2] == estimated_error(LATTICE, LEVELS[3], responses, signed=True)
    assert preview_errors(LATTICE, np.zeros(2401), signed=True) == (0.0, 0.0, 0.0)


def test_a_signed_estimate_counts_negative_responses() -> None:
    responses = -np.abs(bumps(4))
    assert estimated_error(LATTICE, LEVELS[1], responses, signed=False) == 0.0
    assert (estimated_error(LATTICE, LEVELS[1], responses, signed=True) or 0.0) > 0.1
