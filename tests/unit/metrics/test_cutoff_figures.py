import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.metrics.average_precision import BoolArray
from xmirad.metrics.cutoffs import precision_at, precision_at_trimmed, recall_at

unhurried = settings(deadline=None)  # a busy machine is no error
rankings = st.lists(st.booleans(), min_size=1, max_size=30).map(np.array)
cutoffs = st.integers(1, 50)


@unhurried
@given(rankings, cutoffs)
def test_precision_divides_by_k_even_where_there_are_fewer_results(relevant: BoolArray, k: int) -> None:
    found = 0
    for rank in range(1, k + 1):
        if rank <= relevant.size and relevant[rank - 1]:
            found += 1
    assert precision_at(relevant, k) == pytest.approx(found / k)


@unhurried
@given(rankings.filter(np.any), cutoffs)
def test_trimmed_precision_divides_by_the_last_relevant_rank_if_that_is_smaller(relevant: BoolArray, k: int) -> None:
    ranks = [rank for rank, is_relevant in enumerate(relevant, start=1) if is_relevant]
    cut = min(max(ranks), k)
    expected = sum(rank <= cut for rank in ranks) / cut
    assert precision_at_trimmed(relevant, k, query_ranked_last=False) == pytest.approx(expected)


@unhurried
@given(rankings, cutoffs)
def test_with_the_query_counted_last_both_agree_unless_the_archive_is_smaller_than_k(
    relevant: BoolArray, k: int
) -> None:
    published = precision_at_trimmed(relevant, k)
    if k <= relevant.size:
        assert published == precision_at(relevant, k)
    else:
        assert published == pytest.approx((int(relevant.sum()) + 1) / (relevant.size + 1))


@unhurried
@given(rankings, cutoffs)
def test_recall_says_whether_anything_relevant_was_found(relevant: BoolArray, k: int) -> None:
    assert recall_at(relevant, k) == float(any(relevant.tolist()[:k]))


def test_a_small_class_is_rewarded_by_trimming() -> None:
    relevant = np.array([True, True, False, False, False])
    assert precision_at(relevant, 5) == pytest.approx(0.4)
    assert precision_at_trimmed(relevant, 5, query_ranked_last=False) == pytest.approx(1.0)


def test_trimmed_precision_is_undefined_where_nothing_is_relevant() -> None:
    with pytest.raises(ValueError, match="undefined"):
        precision_at_trimmed(np.array([False]), 1, query_ranked_last=False)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_1_is_refused(k: int) -> None:
    for figure in (precision_at, precision_at_trimmed, recall_at):
        with pytest.raises(ValueError, match="at least 1"):
            figure(np.array([True]), k)
