"""The figures of one query, and their names in reports.

| name | definition |
| --- | --- |
| `mean_average_precision` | mean of `xmirad.metrics.average_precision.average_precision` (TREC), over the queries |
| `mean_average_precision_xmir` | mean of `average_precision_trapezoid`, the query counted as relevant and ranked last |
| `precision_at_K` | relevant results among the first K, divided by K |
| `precision_at_K_xmir` | the same over the first min(K, rank of the last relevant result), the query counted as above |
| `recall_at_K` | share of the queries with any relevant result among the first K |

In an archive too large to rank it all, the first two end in `_at_10000`: only so many results were ranked. Where the
queries are not the archive's own items, the X-MIR-compatible figures count no query as relevant.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.evaluation.report_parts import Group
from xmirad.metrics.average_precision import BoolArray, average_precision, average_precision_trapezoid
from xmirad.metrics.bootstrap import Estimate
from xmirad.metrics.cutoffs import precision_at, precision_at_trimmed, recall_at

Float64Array = npt.NDArray[np.float64]
CUTOFFS = (1, 5, 10)
MAP, MAP_XMIR = "mean_average_precision", "mean_average_precision_xmir"


@dataclass(frozen=True, slots=True)
class FigureSet:
    """Which figures are computed.

    Attributes:
        cutoff: How many results are ranked, or None: all.
        with_xmir: Whether the X-MIR-compatible definitions are among them.
        query_in_archive: Whether these count the query as one more relevant item at the very end.
    """

    cutoff: int | None = None
    with_xmir: bool = True
    query_in_archive: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The figures' names, in the order of `of`."""
        suffix = "" if self.cutoff is None else f"_at_{self.cutoff}"
        corrected = [MAP + suffix, *(f"precision_at_{k}" for k in CUTOFFS), *(f"recall_at_{k}" for k in CUTOFFS)]
        xmir = [MAP_XMIR + suffix, *(f"precision_at_{k}_xmir" for k in CUTOFFS)] if self.with_xmir else []
        return (*corrected, *xmir)

    def of(self, relevant: BoolArray, *, relevant_count: int) -> Float64Array:
        """Return a query's figures, `[F]`.

        Args:
            relevant: `[K]`, whether each result is relevant, best first.
            relevant_count: How many items of the archive are relevant, ranked or not; at least 1.
        """
        unranked = relevant_count - int(np.count_nonzero(relevant))
        values = [average_precision(relevant, unranked_relevant=unranked)]
        values += [precision_at(relevant, k) for k in CUTOFFS]
        values += [recall_at(relevant, k) for k in CUTOFFS]
        if self.with_xmir:
            values += self._xmir(relevant, unranked)
        return np.array(values)

    def _xmir(self, relevant: BoolArray, unranked: int) -> list[float]:
        last = self.query_in_archive and self.cutoff is None
        unseen = unranked + (1 if self.query_in_archive and not last else 0)
        area = average_precision_trapezoid(relevant, unranked_relevant=unseen, query_ranked_last=last)
        trimmed = self.query_in_archive or not relevant.any()
        return [area, *(precision_at_trimmed(relevant, k, query_ranked_last=trimmed) for k in CUTOFFS)]


def mean_average_precision(group: Group) -> tuple[str, Estimate]:
    """Return the name and the value of a group's corrected mean average precision; it is always the first figure."""
    return next(iter(group.figures.items()))
