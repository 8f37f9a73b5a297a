"""Average precision in the two definitions that retrieval papers use without saying which.

Both take the ranking of one query and return 0 to 1. They differ in more than rounding: over three balanced classes of
100, a perfect ranking scores 1 and 0.99332, a random one 0.3434 and 0.3374 on average.
"""

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]


def average_precision(relevant: BoolArray, *, unranked_relevant: int = 0) -> float:
    """Return the mean, over the relevant results, of the precision at their ranks (TREC).

    Args:
        relevant: `[N]`, whether each result is relevant, best first.
        unranked_relevant: Relevant items beyond the end of a ranking that was cut off after N results. They count as
            never found, as far as N results could have held them: the divisor is min(all relevant, N).

    Raises:
        ValueError: If nothing is relevant: the figure is undefined then, not 0.
    """
    ranks = np.flatnonzero(relevant) + 1
    possible = _possible(ranks.size, relevant.size, unranked_relevant)
    found = np.arange(1, ranks.size + 1)
    return float(np.sum(found / ranks) / possible)


def average_precision_trapezoid(
    relevant: BoolArray, *, unranked_relevant: int = 0, query_ranked_last: bool = True
) -> float:
    """Return the area under the precision-recall curve by the trapezoid rule, as the X-MIR paper's evaluation does.

    For the j-th relevant result (from 0) at rank r (from 0): (j/r + (j+1)/(r+1)) / 2, the first term being 1 for r = 0;
    summed and divided by the number of relevant items. Source: `compute_ap` of Radenovic et al., "Fine-tuning
    CNN image retrieval with no human annotation" (TPAMI 2019), as used by Hu, Vasu and Hoogs, "X-MIR" (WACV 2022).

    Args:
        relevant: `[N]`, whether each result is relevant, best first, without the query.
        unranked_relevant: As in `average_precision`.
        query_ranked_last: Count the query as one more relevant item at the very end. The published code does: it sets
            the query's distance to itself to infinity but leaves it among the relevant. This keeps a perfect ranking
            below 1. For a ranking that was cut off, pass False and count the query in `unranked_relevant` instead.

    Raises:
        ValueError: If nothing is relevant.
    """
    if not relevant.any():
        _possible(0, relevant.size, unranked_relevant)
    if query_ranked_last:
        relevant = np.append(relevant, True)
    ranks = np.flatnonzero(relevant)
    possible = _possible(ranks.size, relevant.size, unranked_relevant)
    found = np.arange(ranks.size)
    before = np.where(ranks == 0, 1.0, found / np.maximum(ranks, 1))
    after = (found + 1) / (ranks + 1)
    return float(np.sum((before + after) / 2) / possible)


def chance_average_precision(relevant_count: int, ranked_count: int) -> float:
    """Return what `average_precision` is on average over all orders of the results; 0 to 1.

    At each rank a result is relevant with probability R/N, and then (1 + (rank - 1) (R - 1) / (N - 1)) / rank of the
    results up to it are relevant on average. Rankings with different shares of relevant items can only be compared
    beside this figure.

    Args:
        relevant_count: How many results are relevant (R), at least 1.
        ranked_count: How many results there are (N).

    Raises:
        ValueError: If nothing is relevant, or more than there is.
    """
    if not 1 <= relevant_count <= ranked_count:
        raise ValueError(f"{relevant_count} of {ranked_count} results are relevant; it must be at least 1 of them")
    others = (relevant_count - 1) / (ranked_count - 1) if ranked_count > 1 else 0.0
    harmonic = float(np.sum(1 / np.arange(1, ranked_count + 1)))
    return (harmonic * (1 - others) + ranked_count * others) / ranked_count


def _possible(found: int, ranked: int, unranked_relevant: int) -> int:
    possible = min(found + unranked_relevant, ranked)
    if possible == 0:
        raise ValueError("no item is relevant to this query, so its average precision is undefined")
    return possible
