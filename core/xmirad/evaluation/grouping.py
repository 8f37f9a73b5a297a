"""Summing up the figures of queries: over all, by class, by source, without the query's own patient."""

from collections.abc import Callable, Sequence

import numpy as np

from xmirad.evaluation.collecting import Collector, QueryFigures
from xmirad.evaluation.figures import FigureSet, Float64Array
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.report import PatientExclusive, SourceGroup
from xmirad.evaluation.report_parts import Group
from xmirad.evaluation.truth import UNKNOWN
from xmirad.metrics.bootstrap import estimates, macro_estimates

Values = Callable[[QueryFigures], Float64Array | None]


class Grouping:
    """The figures of all queries, ready to be summed up."""

    def __init__(self, collector: Collector, options: EvaluationOptions) -> None:
        """Take the queries in order."""
        self._truth = collector.truth
        self._figures = collector.figures
        self._figures_without_patient = collector.figures_without_patient
        self._queries = collector.in_order
        self._options = options

    def overall(self) -> Group | None:
        """Return the figures over all queries; None if no query has any."""
        return self.group("overall", self._queries, values=whole_ranking, figures=self._figures)

    def classes(self) -> tuple[Group, ...]:
        """Return the figures by class; a query of several labels is in several classes."""
        return self.by_class(whole_ranking, self._figures)

    def macro(self) -> Group:
        """Return the mean over the classes, each counting the same."""
        tables = [rows(self._of_class(label), whole_ranking) for label in range(len(self._truth.labels))]
        present = [table for table in tables if len(table)]
        means = macro_estimates(present, seed=self._options.seed, resamples=self._options.resamples)
        count = sum(map(len, present))
        return Group("macro", count, dict(zip(self._figures.names, means, strict=True)))

    def patient_exclusive(self) -> PatientExclusive | None:
        """Return the figures without the query's own patient; None where no patient is known."""
        known = [each for each in self._queries if self._truth.queries.patients[each.query] != UNKNOWN]
        if not known:
            return None
        figures = self._figures_without_patient
        return PatientExclusive(
            overall=self.group("overall", known, values=without_patient, figures=figures),
            classes=self.by_class(without_patient, figures),
            dropped_queries=sum(each.without_patient is None for each in known),
            unknown_patient_queries=len(self._queries) - len(known),
            affected_queries=sum(each.has_same_patient for each in known),
        )

    def sources(self) -> tuple[SourceGroup, ...]:
        """Return the figures by source; nothing where fewer than two are known."""
        if len(self._truth.sources) < 2:
            return ()
        groups = (self._source(number, name) for number, name in enumerate(self._truth.sources))
        return tuple(group for group in groups if group is not None)

    def _source(self, number: int, name: str) -> SourceGroup | None:
        queries = [each for each in self._queries if self._truth.queries.source_of[each.query] == number]
        if not queries:
            return None
        items = int(np.count_nonzero(self._truth.items.source_of == number))
        own = int(self._truth.leave_one_out)
        return SourceGroup(
            name=name,
            group=self.group(name, queries, values=whole_ranking, figures=self._figures),
            item_count=items,
            same_source_share=float(np.mean([each.same_source_share for each in queries])),
            chance_share=(items - own) / (len(self._truth.items) - own),
        )

    def by_class(self, values: Values, figures: FigureSet) -> tuple[Group, ...]:
        """Return some figures by class, as far as there are queries."""
        labels = enumerate(self._truth.labels)
        groups = (self.group(name, self._of_class(number), values=values, figures=figures) for number, name in labels)
        return tuple(group for group in groups if group is not None)

    def _of_class(self, label: int) -> list[QueryFigures]:
        return [each for each in self._queries if self._truth.queries.has_label[each.query, label]]

    def group(self, name: str, queries: Sequence[QueryFigures], *, values: Values, figures: FigureSet) -> Group | None:
        """Return some figures over the queries that have any; None if none has."""
        table = rows(queries, values)
        if not len(table):
            return None
        means = estimates(table, seed=self._options.seed, resamples=self._options.resamples)
        return Group(name, len(table), dict(zip(figures.names, means, strict=True)))


def whole_ranking(query: QueryFigures) -> Float64Array | None:
    """Return a query's figures over its whole ranking."""
    return query.values


def without_patient(query: QueryFigures) -> Float64Array | None:
    """Return a query's figures without its own patient."""
    return query.without_patient


def rows(queries: Sequence[QueryFigures], values: Values) -> Float64Array:
    """Return the figures of the queries that have any, `[Q, F]`."""
    return np.array([row for each in queries if (row := values(each)) is not None])
