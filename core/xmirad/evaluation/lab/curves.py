"""The confusion of the first result, and precision-recall curves."""

from collections.abc import Sequence

import numpy as np

from xmirad.evaluation.collecting import Collector, QueryFigures
from xmirad.evaluation.lab.findings import Confusion, Curve

NO_LABEL = ""


def confusion(collector: Collector) -> Confusion:
    """Count the labels of first results, by the label of the query.

    A result that shares the row's label counts under it, whatever else it shows; another one under its first label.
    """
    truth = collector.truth
    none = len(truth.labels)
    counts = np.zeros((none, none + 1), dtype=np.intp)
    for each in collector.in_order:
        carried = truth.items.has_label[each.first.ranking[0]]
        other = int(np.argmax(carried)) if carried.any() else none
        for label in np.flatnonzero(truth.queries.has_label[each.query]):
            counts[label, label if carried[label] else other] += 1
    rows = [label for label in range(none) if counts[label].any()]
    columns = [column for column in range(none + 1) if counts[:, column].any() or column in rows]
    names = (*truth.labels, NO_LABEL)
    return Confusion(
        labels=tuple(names[row] for row in rows),
        found=tuple(names[column] for column in columns),
        counts=tuple(tuple(int(counts[row, column]) for column in columns) for row in rows),
    )


def curves(collector: Collector) -> tuple[Curve, ...]:
    """Return the mean curves over all queries and over those of each class."""
    queries = collector.in_order
    has_label = collector.truth.queries.has_label
    found = [_curve("overall", queries)]
    for label, name in enumerate(collector.truth.labels):
        found.append(_curve(name, [each for each in queries if has_label[each.query, label]]))
    return tuple(curve for curve in found if curve is not None)


def _curve(name: str, queries: Sequence[QueryFigures]) -> Curve | None:
    rows = [each.study.curve for each in queries if each.study.curve is not None]
    if not rows:
        return None
    return Curve(name, len(rows), tuple(map(float, np.mean(rows, axis=0))))
