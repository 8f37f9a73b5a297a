import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from xmirad.metrics.detection import detection_curve, detection_figures

unhurried = settings(deadline=None, max_examples=60)
numbers = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=30)


def slow_figures(inside: list[float], outside: list[float]) -> tuple[float, float, float]:
    """Compare every pair, and try every threshold."""
    wins = sum(1.0 if high > low else 0.5 if high == low else 0.0 for high in outside for low in inside)
    thresholds = sorted({*inside, *outside}, reverse=True)
    area, before, false_at_95 = 0.0, 0, None
    for threshold in thresholds:
        found = sum(number >= threshold for number in outside)
        false = sum(number >= threshold for number in inside)
        area += (found - before) / len(outside) * found / (found + false)
        before = found
        if false_at_95 is None and 100 * found >= 95 * len(outside):
            false_at_95 = false / len(inside)
    assert false_at_95 is not None
    return wins / (len(inside) * len(outside)), area, false_at_95


def found(inside: list[float], outside: list[float]) -> tuple[float, float, float]:
    figures = detection_figures(inside, outside, seed=0, resamples=20)
    return figures.auroc.value, figures.aupr.value, figures.fpr_at_95.value


@unhurried
@given(numbers, numbers)
def test_the_figures_equal_the_slow_oracle(inside: list[float], outside: list[float]) -> None:
    assert found(inside, outside) == pytest.approx(slow_figures(inside, outside), abs=1e-12)


@unhurried
@given(numbers, numbers)
def test_the_areas_equal_scikit_learns(inside: list[float], outside: list[float]) -> None:
    truth, scores = [0] * len(inside) + [1] * len(outside), [*inside, *outside]
    auroc, aupr, _ = found(inside, outside)
    assert auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert aupr == pytest.approx(average_precision_score(truth, scores), abs=1e-12)


@unhurried
@given(numbers, numbers)
def test_the_curve_is_the_highest_point_of_scikit_learns_up_to_each_false_share(
    inside: list[float], outside: list[float]
) -> None:
    truth, scores = [0] * len(inside) + [1] * len(outside), [*inside, *outside]
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    expected = [max(true[false <= step / 100 + 1e-12]) for step in range(101)]
    np.testing.assert_allclose(detection_curve(inside, outside), expected, atol=1e-12)


def test_separate_groups_are_told_apart_wholly() -> None:
    assert found([0.1, 0.2], [0.3, 0.4]) == (1.0, 1.0, 0.0)
    assert found([0.3, 0.4], [0.1, 0.2])[0] == 0.0


def test_equal_numbers_tell_nothing() -> None:
    assert found([1.0] * 4, [1.0] * 4) == (0.5, 0.5, 1.0)


def test_intervals_hold_the_figure_and_depend_on_the_seed_alone() -> None:
    generator = np.random.default_rng(1)
    inside, outside = generator.normal(0, 1, 80), generator.normal(1, 1, 60)
    first = detection_figures(inside, outside, seed=3, resamples=500)
    assert first == detection_figures(inside, outside, seed=3, resamples=500)
    assert first.auroc.low < first.auroc.value < first.auroc.high
    assert first.auroc.high - first.auroc.low == pytest.approx(4 * 0.042, abs=0.06)


@pytest.mark.parametrize(("inside", "outside"), [([], [1.0]), ([1.0], []), ([float("nan")], [1.0])])
def test_a_group_without_numbers_is_refused(inside: list[float], outside: list[float]) -> None:
    with pytest.raises(ValueError, match="inside and outside"):
        detection_figures(inside, outside, seed=0)
    with pytest.raises(ValueError, match="inside and outside"):
        detection_curve(inside, outside)
