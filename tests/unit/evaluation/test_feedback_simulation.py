from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from xmirad.api.vocabulary import QueryItemExclusion
from xmirad.client.search_types import (
    Feedback,
    PlainSource,
    SearchResponse,
    SearchResult,
    SearchTimings,
    StreamedOutcome,
    StreamedSearch,
)
from xmirad.errors import InvalidImageError, OverloadedError
from xmirad.evaluation.feedback import simulate_feedback
from xmirad.types import Float32Array, ItemFilter


@dataclass
class World:
    """Items in a plane, searched by brute force; every item is a query, and relevant where the label is the same."""

    vectors: dict[str, Float32Array]
    labels: dict[str, int]
    failing: set[str] = field(default_factory=set)
    unreadable: set[int] = field(default_factory=set)
    searches: list[StreamedSearch] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return list(self.vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def name(self, query: int) -> str:
        return f"query {query}"

    def source(self, query: int) -> PlainSource:
        if query in self.unreadable:
            raise InvalidImageError("the file is no image")
        return self.vectors[self.names[query]]

    def own_items(self, query: int) -> tuple[str, ...]:
        return (self.names[query],)

    def relevant_items(self, query: int) -> frozenset[str]:
        own = self.names[query]
        return frozenset(name for name in self.names if name != own and self.labels[name] == self.labels[own])

    def stream_search(
        self, archive: str, searches: Iterator[StreamedSearch], *, in_flight: int
    ) -> Iterator[StreamedOutcome]:
        for search in searches:
            self.searches.append(search)
            if search.correlation_id in self.failing and isinstance(search.source, Feedback):
                yield StreamedOutcome(search.correlation_id, None, OverloadedError("try later"))
            else:
                yield StreamedOutcome(search.correlation_id, self._search(search), None)

    def _search(self, search: StreamedSearch) -> SearchResponse:
        source, left_out = search.source, set(search.filter.excluded_items)
        vector = source.source if isinstance(source, Feedback) else source
        assert isinstance(vector, np.ndarray)
        if isinstance(source, Feedback):
            vector = vector.copy()
            if source.positive_items:
                vector += np.mean([self.vectors[each] for each in source.positive_items], axis=0)
            if source.negative_items:
                vector -= 0.5 * np.mean([self.vectors[each] for each in source.negative_items], axis=0)
            left_out |= {*source.positive_items, *source.negative_items}
        scored = [(-float(vector @ each), name) for name, each in self.vectors.items() if name not in left_out]
        results = tuple(
            SearchResult(name, rank, -negative)
            for rank, (negative, name) in enumerate(sorted(scored)[: search.top_k], start=1)
        )
        timings = SearchTimings(0, 0, 0)
        return SearchResponse(results, "models/m", "", len(scored), True, QueryItemExclusion.NONE, timings, "id")


def world(count: int = 60, *, noise: float = 0.8, seed: int = 0) -> World:
    """Two classes that overlap."""
    random = np.random.default_rng(seed)
    vectors, labels = {}, {}
    for number in range(count):
        vector = random.normal(scale=noise, size=4)
        vector[number % 2] += 1.0
        vectors[f"i{number:03d}"] = (vector / np.linalg.norm(vector)).astype(np.float32)
        labels[f"i{number:03d}"] = number % 2
    return World(vectors, labels)


def slow_figures(flags: list[bool]) -> tuple[float, float]:
    precisions = [sum(flags[: at + 1]) / (at + 1) for at, is_relevant in enumerate(flags) if is_relevant]
    return sum(precisions) / len(precisions), sum(flags[:10]) / 10


def test_figures_are_those_of_a_reader_who_is_played_by_hand() -> None:
    made = world()
    with_feedback, without = [], []
    for query, own in enumerate(made.names):
        relevant = made.relevant_items(query)
        plain = [each.item for each in made._search(_asked(made, query, None)).results]
        shown = plain[:10]
        positives = tuple(name for name in shown if name in relevant)[:1]
        negatives = tuple(name for name in shown if name not in relevant)[:1]
        after = made._search(_asked(made, query, Feedback(made.vectors[own], positives, negatives))).results
        judged = {*positives, *negatives}
        with_feedback.append(slow_figures([each.item in relevant for each in after]))
        without.append(slow_figures([name in relevant for name in plain if name not in judged]))

    first = simulate_feedback(made, "a", made, top_k=len(made), rounds=1).rounds[0]

    expected = [*np.mean(with_feedback, axis=0), *np.mean(without, axis=0)]
    assert [
        first.mean_average_precision.value,
        first.precision_at_10.value,
        first.mean_average_precision_without.value,
        first.precision_at_10_without.value,
    ] == pytest.approx(expected)
    assert first.mean_average_precision_gain.value == pytest.approx(expected[0] - expected[2])
    assert first.precision_at_10_gain.value == pytest.approx(expected[1] - expected[3])


def _asked(made: World, query: int, feedback: Feedback | None) -> StreamedSearch:
    source = feedback or made.source(query)
    return StreamedSearch(str(query), source, top_k=len(made), filter=ItemFilter(excluded_items=made.own_items(query)))


def test_feedback_helps_where_classes_overlap_and_more_rounds_judge_more() -> None:
    made = world(120)
    report = simulate_feedback(made, "a", made, top_k=len(made))
    assert [each.round for each in report.rounds] == [1, 2, 3]
    assert report.rounds[2].mean_average_precision_gain.low > 0
    assert report.rounds[2].mean_average_precision_gain.value > report.rounds[0].mean_average_precision_gain.value
    judged = [each.judged_items for each in report.rounds]
    assert judged == sorted(judged)
    assert 1.0 <= judged[0] <= 2.0
    assert (report.queries, report.failures) == (120, ())


def test_every_round_names_all_that_was_judged_so_far() -> None:
    made = world(20)
    simulate_feedback(made, "a", made, top_k=len(made), rounds=2)
    first, second = made.searches[20].source, made.searches[40].source
    assert isinstance(first, Feedback)
    assert isinstance(second, Feedback)
    assert second.positive_items[: len(first.positive_items)] == first.positive_items
    assert len(second.positive_items) + len(second.negative_items) > len(first.positive_items) + len(
        first.negative_items
    )


def test_queries_that_no_relevant_item_is_left_for_are_dropped_and_counted() -> None:
    made = world(11)
    made.labels["i000"] = 7  # nothing else is relevant to it: left out altogether
    made.labels["i001"] = made.labels["i002"] = 8  # each has one relevant item, which is judged at once
    report = simulate_feedback(made, "a", made, top_k=len(made), rounds=1)
    assert report.queries == 10
    assert (report.rounds[0].queries, report.rounds[0].dropped_queries) == (8, 2)


def test_queries_that_fail_are_listed_and_count_no_more() -> None:
    made = world(20)
    made.failing, made.unreadable = {"3"}, {5}
    report = simulate_feedback(made, "a", made, top_k=len(made), rounds=2)
    assert [(each.file, each.reason) for each in report.failures] == [
        ("query 5", "IMAGE_UNDECODABLE"),
        ("query 3", "OVERLOADED"),
    ]
    assert report.queries == 18
    assert [each.queries + each.dropped_queries for each in report.rounds] == [18, 18]


def test_where_nothing_is_left_to_find_there_are_no_figures() -> None:
    made = world(4)
    made.labels = dict.fromkeys(made.names, 0)
    made.labels["i003"] = 1
    report = simulate_feedback(made, "a", made, top_k=len(made), rounds=9)
    assert [each.round for each in report.rounds] == [1]


def test_not_even_one_round_is_refused() -> None:
    made = world(4)
    with pytest.raises(ValueError, match="at least 1"):
        simulate_feedback(made, "a", made, top_k=4, rounds=0)
