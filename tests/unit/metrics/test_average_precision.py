import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from xmirad.metrics.average_precision import BoolArray, average_precision, average_precision_trapezoid

unhurried = settings(deadline=None)  # a busy machine is no error
rankings = st.lists(st.booleans(), min_size=1, max_size=40).filter(any).map(np.array)


def slow_average_precision(relevant: list[bool]) -> float:
    total = 0.0
    for rank in range(1, len(relevant) + 1):
        if relevant[rank - 1]:
            found = 0
            for earlier in range(rank):
                found += relevant[earlier]
            total += found / rank
    return total / sum(relevant)


def slow_trapezoid(relevant: list[bool]) -> float:
    area, found = 0.0, 0
    for position, is_relevant in enumerate(relevant):
        if not is_relevant:
            continue
        before = 1.0 if position == 0 else found / position
        found += 1
        area += (before + found / (position + 1)) / 2
    return area / found


def perfect(class_size: int, classes: int = 3) -> BoolArray:
    return np.arange(class_size * classes - 1) < class_size - 1


def mean_of_random_rankings(class_size: int, count: int = 3000) -> tuple[float, float, float]:
    generator = np.random.default_rng(0)
    rows = [generator.permutation(perfect(class_size)) for _ in range(count)]
    return (
        float(np.mean([average_precision(row) for row in rows])),
        float(np.mean([average_precision_trapezoid(row) for row in rows])),
        float(np.mean([average_precision_trapezoid(row, query_ranked_last=False) for row in rows])),
    )


@unhurried
@given(rankings)
def test_average_precision_equals_the_slow_oracle(relevant: BoolArray) -> None:
    assert average_precision(relevant) == pytest.approx(slow_average_precision(relevant.tolist()), abs=1e-12)


@unhurried
@given(rankings)
def test_average_precision_equals_scikit_learns(relevant: BoolArray) -> None:
    scores = -np.arange(relevant.size, dtype=float)
    assert average_precision(relevant) == pytest.approx(average_precision_score(relevant, scores), abs=1e-12)


@unhurried
@given(rankings)
def test_the_trapezoid_equals_the_slow_oracle_with_and_without_the_query(relevant: BoolArray) -> None:
    alone = average_precision_trapezoid(relevant, query_ranked_last=False)
    assert alone == pytest.approx(slow_trapezoid(relevant.tolist()), abs=1e-12)
    with_query = average_precision_trapezoid(relevant)
    assert with_query == pytest.approx(slow_trapezoid([*relevant.tolist(), True]), abs=1e-12)


@unhurried
@given(rankings)
def test_both_definitions_stay_between_0_and_1_and_the_trapezoid_is_never_higher(relevant: BoolArray) -> None:
    corrected = average_precision(relevant)
    assert 0 < average_precision_trapezoid(relevant, query_ranked_last=False) <= corrected + 1e-12 <= 1 + 1e-12


@unhurried
@given(rankings, st.data())
def test_moving_a_relevant_result_up_never_lowers_either(relevant: BoolArray, data: st.DataObject) -> None:
    pairs = [i for i in range(relevant.size - 1) if relevant[i + 1] and not relevant[i]]
    if not pairs:
        return
    at = data.draw(st.sampled_from(pairs))
    better = relevant.copy()
    better[[at, at + 1]] = better[[at + 1, at]]
    assert average_precision(better) > average_precision(relevant)
    assert average_precision_trapezoid(better) > average_precision_trapezoid(relevant)


@unhurried
@given(rankings, st.integers(0, 30))
def test_a_cut_off_ranking_counts_what_it_did_not_find(relevant: BoolArray, unranked: int) -> None:
    possible = min(int(relevant.sum()) + unranked, relevant.size)
    whole = slow_average_precision(relevant.tolist()) * int(relevant.sum())
    assert average_precision(relevant, unranked_relevant=unranked) == pytest.approx(whole / possible, abs=1e-12)


def test_the_trapezoid_of_a_cut_off_ranking_counts_what_it_did_not_find() -> None:
    relevant = np.array([True, False, False, False])
    assert average_precision_trapezoid(relevant, unranked_relevant=2, query_ranked_last=False) == pytest.approx(1 / 3)


def test_a_perfect_ranking_scores_1_corrected_and_less_in_the_published_definition() -> None:
    figures = {
        size: (average_precision(perfect(size)), average_precision_trapezoid(perfect(size))) for size in (100, 90)
    }
    print(f"perfect rankings (corrected, X-MIR-compatible): 3 x 100 {figures[100]}, 3 x 90 {figures[90]}")
    np.testing.assert_allclose(figures[100], (1.0, 0.99332), atol=5e-6)
    np.testing.assert_allclose(figures[90], (1.0, 0.99258), atol=5e-6)


def test_random_rankings_score_as_published_in_each_definition() -> None:
    corrected, compatible, without_query = mean_of_random_rankings(100)
    print(f"random rankings 3 x 100: corrected {corrected:.4f}, X-MIR {compatible:.4f}, trapezoid {without_query:.4f}")
    assert corrected == pytest.approx(0.3434, abs=0.002)
    assert compatible == pytest.approx(0.3374, abs=0.002)
    assert without_query == pytest.approx(0.3375, abs=0.002)


@pytest.mark.parametrize("relevant", [np.array([], dtype=bool), np.array([False, False])])
def test_a_query_without_a_relevant_item_has_no_average_precision(relevant: BoolArray) -> None:
    with pytest.raises(ValueError, match="undefined"):
        average_precision(relevant)
    with pytest.raises(ValueError, match="undefined"):
        average_precision_trapezoid(relevant)
