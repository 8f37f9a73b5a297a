import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from xmirad.metrics.average_precision import BoolArray, average_precision, chance_average_precision
from xmirad.metrics.precision_recall import interpolated_precision

unhurried = settings(deadline=None)
rankings = st.lists(st.booleans(), min_size=1, max_size=40).filter(any).map(np.array)


def slow_curve(relevant: list[bool], possible: int) -> list[float]:
    curve = []
    for step in range(101):
        best = 0.0
        for rank in range(1, len(relevant) + 1):
            found = sum(relevant[:rank])
            if found * 100 >= step * possible:
                best = max(best, found / rank)
        curve.append(best)
    return curve


@unhurried
@given(rankings, st.integers(0, 5))
def test_the_curve_equals_the_slow_oracle(relevant: BoolArray, unranked: int) -> None:
    expected = slow_curve(relevant.tolist(), int(relevant.sum()) + unranked)
    np.testing.assert_allclose(interpolated_precision(relevant, unranked_relevant=unranked), expected, atol=1e-12)


@unhurried
@given(rankings)
def test_the_curve_is_the_envelope_of_scikit_learns(relevant: BoolArray) -> None:
    precision, recall, _ = precision_recall_curve(relevant, -np.arange(relevant.size, dtype=float))
    ranked = slice(0, -1)  # the last point is made up, with recall 0 and precision 1
    expected = [max(precision[ranked][recall[ranked] >= step / 100 - 1e-12]) for step in range(101)]
    np.testing.assert_allclose(interpolated_precision(relevant), expected, atol=1e-12)


@unhurried
@given(rankings)
def test_the_curve_falls_and_ends_at_the_precision_of_the_last_relevant_result(relevant: BoolArray) -> None:
    curve = interpolated_precision(relevant)
    assert (np.diff(curve) <= 1e-12).all()
    last = int(np.flatnonzero(relevant)[-1]) + 1
    assert curve[-1] == pytest.approx(relevant.sum() / last)


def test_a_query_without_anything_relevant_has_no_curve() -> None:
    with pytest.raises(ValueError, match="no recall"):
        interpolated_precision(np.array([False, False]))


@pytest.mark.parametrize(("relevant", "ranked"), [(1, 1), (1, 7), (3, 9), (8, 8), (4, 11)])
def test_chance_is_the_mean_over_all_orders(relevant: int, ranked: int) -> None:
    generator = np.random.default_rng(0)
    row = np.arange(ranked) < relevant
    mean = np.mean([average_precision(generator.permutation(row)) for _ in range(20_000)])
    assert chance_average_precision(relevant, ranked) == pytest.approx(mean, abs=0.006)


def test_chance_over_three_classes_of_100_is_what_simulation_gives() -> None:
    chance = chance_average_precision(99, 299)
    print(f"chance mAP of 3 x 100 images: {chance:.4f}")
    assert chance == pytest.approx(0.3434, abs=0.001)


@pytest.mark.parametrize(("relevant", "ranked"), [(0, 3), (4, 3)])
def test_chance_of_nothing_or_of_more_than_there_is_is_refused(relevant: int, ranked: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        chance_average_precision(relevant, ranked)
