"""The precision-recall curve of one query."""

import numpy as np
import numpy.typing as npt

from xmirad.metrics.average_precision import BoolArray

RECALL_STEPS = 100


def interpolated_precision(relevant: BoolArray, *, unranked_relevant: int = 0) -> npt.NDArray[np.float64]:
    """Return the highest precision that is reached at each recall 0, 0.01, ... 1 or beyond it.

    Source: Manning, Raghavan and Schütze, "Introduction to Information Retrieval" (2008), section 8.4, with 101 points
    instead of 11. The mean over queries is the curve of a group of queries.

    Args:
        relevant: `[N]`, whether each result is relevant, best first.
        unranked_relevant: Relevant items beyond the end of a ranking that was cut off. The recalls that cannot be
            reached without them have precision 0.

    Returns:
        `[101]`, 0 to 1, falling.

    Raises:
        ValueError: If nothing is relevant.
    """
    ranks = np.flatnonzero(relevant) + 1
    possible = ranks.size + unranked_relevant
    if possible == 0:
        raise ValueError("no item is relevant to this query, so it has no recall")
    precision = np.arange(1, ranks.size + 1) / ranks
    best_from = np.maximum.accumulate(precision[::-1])[::-1]
    needed = np.maximum(-(-np.arange(RECALL_STEPS + 1) * possible // RECALL_STEPS), 1)
    curve = np.zeros(RECALL_STEPS + 1)
    reached = needed <= ranks.size
    curve[reached] = best_from[needed[reached] - 1]
    return curve
