"""Figures of the first K results of one query."""

import numpy as np

from xmirad.metrics.average_precision import BoolArray


def precision_at(relevant: BoolArray, k: int) -> float:
    """Return how many of the first K results are relevant, divided by K; 0 to 1.

    Args:
        relevant: `[N]`, whether each result is relevant, best first. Results that do not exist (K > N) count as not.
        k: At least 1.

    Raises:
        ValueError: If K is less than 1.
    """
    return float(np.count_nonzero(relevant[: _checked(k)])) / k


def precision_at_trimmed(relevant: BoolArray, k: int, *, query_ranked_last: bool = True) -> float:
    """Return the precision of the first min(K, rank of the last relevant result) results, as X-MIR's evaluation does.

    It divides by fewer than K where every relevant item is found before rank K, and so rewards small classes.

    Args:
        relevant: `[N]`, whether each result is relevant, best first, without the query.
        k: At least 1.
        query_ranked_last: Count the query as one more relevant item at the very end, as the published code does; then
            this differs from `precision_at` only if the archive has fewer than K items.

    Raises:
        ValueError: If K is less than 1, or nothing is relevant.
    """
    if query_ranked_last:
        relevant = np.append(relevant, True)
    ranks = np.flatnonzero(relevant) + 1
    if ranks.size == 0:
        raise ValueError("no item is relevant to this query, so its trimmed precision is undefined")
    cut = min(int(ranks[-1]), _checked(k))
    return float(np.count_nonzero(ranks <= cut)) / cut


def recall_at(relevant: BoolArray, k: int) -> float:
    """Return 1 if any of the first K results is relevant, else 0: the R@K of the metric learning literature.

    Args:
        relevant: `[N]`, whether each result is relevant, best first.
        k: At least 1.

    Raises:
        ValueError: If K is less than 1.
    """
    return float(relevant[: _checked(k)].any())


def _checked(k: int) -> int:
    if k < 1:
        raise ValueError(f"K is {k}; it must be at least 1")
    return k
