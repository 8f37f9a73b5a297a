"""Turning rankings into figures as they arrive, so that no ranking is kept."""

from dataclasses import dataclass, field

import numpy as np

from xmirad.evaluation.figures import FigureSet, Float64Array
from xmirad.evaluation.lab.studying import QueryStudy, studied
from xmirad.evaluation.replay import RankedQuery
from xmirad.evaluation.truth import UNKNOWN, Truth
from xmirad.metrics.patients import without_same_patient

SOURCE_RESULTS = 10


@dataclass(frozen=True, slots=True, eq=False)
class QueryFigures:
    """What is kept of a query.

    Attributes:
        query: Its position in `Asked`.
        values: `[F]`, its figures, or None: nothing in the archive is relevant to it.
        without_patient: `[F']`, its figures without its own patient; None if nothing is relevant then, or its patient
            is not known.
        has_same_patient: Whether another item shows its patient.
        same_source_share: Share of its first ten results that come from its own source; NaN if its source is not known.
        first: The first results with their scores.
        study: What else was learned from it.
    """

    query: int
    values: Float64Array | None
    without_patient: Float64Array | None
    has_same_patient: bool
    same_source_share: float
    first: RankedQuery
    study: QueryStudy


@dataclass(slots=True)
class Collector:
    """Computes and keeps every query's figures.

    Attributes:
        truth: What is known of the items.
        figures: The figures over the whole ranking.
        kept_results: How many first results are kept of each query.
        queries: What was collected, by position.
    """

    truth: Truth
    figures: FigureSet
    kept_results: int
    queries: dict[int, QueryFigures] = field(default_factory=dict)

    @property
    def figures_without_patient(self) -> FigureSet:
        """The figures without the query's patient: only the corrected ones, the published protocol has none such."""
        return FigureSet(self.figures.cutoff, with_xmir=False)

    @property
    def in_order(self) -> list[QueryFigures]:
        """What was collected by the queries' position, so that the order of the answers does not matter."""
        return [self.queries[query] for query in sorted(self.queries)]

    def add(self, ranked: RankedQuery) -> None:
        """Take in the answer to a query."""
        query, kept = ranked.query, self.kept_results
        relevant = self.truth.relevant(query)
        count = int(np.count_nonzero(relevant))
        same_patient = self.truth.same_patient(query)
        self.queries[query] = QueryFigures(
            query=query,
            values=self.figures.of(relevant[ranked.ranking], relevant_count=count) if count else None,
            without_patient=self._without_patient(ranked),
            has_same_patient=int(np.count_nonzero(same_patient)) > int(self.truth.leave_one_out),
            same_source_share=self._same_source_share(ranked),
            first=RankedQuery(query, ranked.ranking[:kept].copy(), ranked.scores[:kept].copy()),
            study=studied(self.truth, self.figures, ranked),
        )

    def _without_patient(self, ranked: RankedQuery) -> Float64Array | None:
        if self.truth.queries.patients[ranked.query] == UNKNOWN:
            return None
        same_patient = self.truth.same_patient(ranked.query)
        relevant = self.truth.relevant(ranked.query)
        count = int(np.count_nonzero(relevant & ~same_patient))
        if count == 0:
            return None
        ranking = without_same_patient(relevant[ranked.ranking], same_patient[ranked.ranking])
        return self.figures_without_patient.of(ranking, relevant_count=count)

    def _same_source_share(self, ranked: RankedQuery) -> float:
        source = self.truth.queries.source_of[ranked.query]
        if source == UNKNOWN:
            return float("nan")
        return float(np.mean(self.truth.items.source_of[ranked.ranking[:SOURCE_RESULTS]] == source))
