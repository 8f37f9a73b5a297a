"""What relevance feedback gains, by a simulated reader.

In each round the reader looks at the first ten results and marks the first that is relevant and the first that is not.
Marked items are judged, and count no more: the ranking after feedback is compared with the ranking without feedback
from which the same items are taken out (residual ranking; Salton and Buckley, "Improving retrieval performance by
relevance feedback", JASIS 1990). Otherwise the marked items alone would make feedback look good. What is relevant is
known from the labels, so a real reader gains less than this one, who is never wrong.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from xmirad.api.vocabulary import SearchView
from xmirad.client.search_types import Feedback, PlainSource, SearchResponse, StreamedOutcome, StreamedSearch
from xmirad.errors import InternalError, XmiradError
from xmirad.evaluation.feedback_report import FeedbackReport, FeedbackRound
from xmirad.evaluation.options import Progress, Silence, Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.metrics.average_precision import BoolArray, average_precision
from xmirad.metrics.bootstrap import RESAMPLES, estimates
from xmirad.metrics.cutoffs import precision_at
from xmirad.types import ItemFilter

ROUNDS = 3
SHOWN = 10
SEARCHES_IN_FLIGHT = 16
SILENCE = Silence()
Float64Array = npt.NDArray[np.float64]


class SearchingService(Protocol):
    """What the simulation needs of a client."""

    def stream_search(
        self, archive: str, searches: Iterator[StreamedSearch], *, in_flight: int
    ) -> Iterator[StreamedOutcome]:
        """Answer searches and yield what became of each."""


class Queries(Protocol):
    """What is searched with, by position; read when it is sent, so that no image is kept."""

    def __len__(self) -> int:
        """Return how many queries there are."""

    def name(self, query: int) -> str:
        """Return what a failure of the query is listed under."""

    def source(self, query: int) -> PlainSource:
        """Return what to ask with.

        Raises:
            XmiradError: If it cannot be read.
        """

    def own_items(self, query: int) -> tuple[str, ...]:
        """Return the names of the items that are the query itself and must not be found."""

    def relevant_items(self, query: int) -> frozenset[str]:
        """Return the names of the items that are relevant, without the query's own."""


@dataclass(slots=True)
class _Asked:
    """A query and how far its reader is.

    Attributes:
        relevant: Names of the relevant items.
        first: Names of all results before any feedback, best first.
        latest: Names of the results of the latest round.
        positives: What was marked as relevant.
        negatives: What was marked as not.
    """

    relevant: frozenset[str]
    first: tuple[str, ...]
    latest: tuple[str, ...]
    positives: list[str] = field(default_factory=list)
    negatives: list[str] = field(default_factory=list)

    @property
    def judged(self) -> frozenset[str]:
        return frozenset((*self.positives, *self.negatives))

    def judge(self) -> None:
        """Mark the first relevant and the first other item among those that are shown."""
        shown = self.latest[:SHOWN]
        self.positives += [name for name in shown if name in self.relevant][:1]
        self.negatives += [name for name in shown if name not in self.relevant][:1]

    def figures(self) -> Float64Array | None:
        """Return average precision and precision at 10, with feedback and without, `[4]`; None if nothing is left."""
        judged = self.judged
        left = len(self.relevant - judged)
        if left == 0:
            return None
        values = []
        for ranking in (self.latest, tuple(name for name in self.first if name not in judged)):
            relevant: BoolArray = np.array([name in self.relevant for name in ranking], dtype=np.bool_)
            unranked = left - int(np.count_nonzero(relevant))
            values += [average_precision(relevant, unranked_relevant=unranked), precision_at(relevant, SHOWN)]
        return np.array(values)


def simulate_feedback(
    service: SearchingService,
    archive: str,
    queries: Queries,
    *,
    top_k: int,
    rounds: int = ROUNDS,
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress = SILENCE,
) -> FeedbackReport:
    """Search with every query, let a simulated reader judge results for some rounds, and say what it gained.

    Keeps the names of `top_k` results of every query.

    Args:
        service: A client of the service.
        archive: The archive's id.
        queries: What is searched with. Those that nothing is relevant to are left out.
        top_k: How many results are ranked: as many as the archive holds, or as many as are to be looked at.
        rounds: How many rounds, at least 1.
        seed: Equal seeds give equal intervals.
        resamples: How often the bootstrap draws.
        progress: Is told after every answer how many there are of all rounds.

    Raises:
        ValueError: If there is not even one round.
        XmiradError: If the service refuses or breaks off the stream. A single query that fails is listed instead.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds; at least 1 is needed")
    simulation = _Simulation(service, archive, queries, top_k, progress=progress, searches=rounds + 1)
    simulation.begin()
    done: list[FeedbackRound] = []
    for number in range(1, rounds + 1):
        simulation.round()
        values = [each for each in (asked.figures() for asked in simulation.asked.values()) if each is not None]
        if not values:
            break
        done.append(_summed(number, simulation.asked, values, seed=seed, resamples=resamples))
    return FeedbackReport(
        rounds=tuple(done), shown=SHOWN, queries=len(simulation.asked), failures=tuple(simulation.failures)
    )


class _Simulation:
    """The queries and their readers."""

    def __init__(
        self,
        service: SearchingService,
        archive: str,
        queries: Queries,
        top_k: int,
        *,
        progress: Progress,
        searches: int,
    ) -> None:
        self.asked: dict[int, _Asked] = {}
        self.failures: list[Failure] = []
        self._service = service
        self._archive = archive
        self._queries = queries
        self._top_k = top_k
        self._progress = progress
        self._done = 0
        self._total = len(queries) * searches

    def begin(self) -> None:
        """Search without feedback."""
        relevant = {query: self._queries.relevant_items(query) for query in range(len(self._queries))}
        wanted = [query for query, items in relevant.items() if items]
        for query, ranking in self._ranked(wanted, {}):
            self.asked[query] = _Asked(relevant[query], ranking, ranking)

    def round(self) -> None:
        """Let every reader judge, and search again with all that was judged so far."""
        for asked in self.asked.values():
            asked.judge()
        before = dict(self.asked)
        answered: set[int] = set()
        for query, ranking in self._ranked(list(before), before):
            self.asked[query].latest = ranking
            answered.add(query)
        self.asked = {query: asked for query, asked in self.asked.items() if query in answered}

    def _ranked(self, queries: Sequence[int], asked: Mapping[int, _Asked]) -> Iterator[tuple[int, tuple[str, ...]]]:
        searches = self._searches(queries, asked)
        for outcome in self._service.stream_search(self._archive, searches, in_flight=SEARCHES_IN_FLIGHT):
            query = int(outcome.correlation_id)
            self._done += 1
            self._progress(Stage.FEEDBACK, self._done, self._total)
            if outcome.response is None:
                self._fail(query, outcome.error or InternalError("the service answered nothing"))
            else:
                yield query, _names(outcome.response)

    def _searches(self, queries: Sequence[int], asked: Mapping[int, _Asked]) -> Iterator[StreamedSearch]:
        for query in queries:
            try:
                source = self._queries.source(query)
            except XmiradError as error:
                self._fail(query, error)
                continue
            search = StreamedSearch(
                correlation_id=str(query),
                source=source,
                top_k=self._top_k,
                filter=ItemFilter(excluded_items=self._queries.own_items(query)),
                exact=True,
                view=SearchView.RANKING,
            )
            reader = asked.get(query)
            if reader is not None and reader.judged:
                search = replace(search, source=Feedback(source, tuple(reader.positives), tuple(reader.negatives)))
            yield search

    def _fail(self, query: int, error: XmiradError) -> None:
        self.failures.append(
            Failure(self._queries.name(query), Stage.FEEDBACK, reason=error.reason, message=error.message)
        )


def _names(response: SearchResponse) -> tuple[str, ...]:
    return tuple(sys.intern(result.item) for result in response.results)


def _summed(
    number: int, asked: Mapping[int, _Asked], values: Sequence[Float64Array], *, seed: int, resamples: int
) -> FeedbackRound:
    """Sum up a round; the same queries are drawn for all figures, so the gains are paired."""
    table = np.array(values)
    gains = table[:, :2] - table[:, 2:]
    found = estimates(np.concatenate([table, gains], axis=1), seed=seed, resamples=resamples)
    return FeedbackRound(
        round=number,
        queries=len(values),
        dropped_queries=len(asked) - len(values),
        judged_items=float(np.mean([len(each.judged) for each in asked.values()])),
        mean_average_precision=found[0],
        precision_at_10=found[1],
        mean_average_precision_without=found[2],
        precision_at_10_without=found[3],
        mean_average_precision_gain=found[4],
        precision_at_10_gain=found[5],
    )
