"""The first results of every image, by searches with stored items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xmirad.api.vocabulary import SearchView
from xmirad.client.search_types import SearchResult, StreamedSearch
from xmirad.errors import ArchiveNotReadyError
from xmirad.evaluation.options import Stage
from xmirad.figures.subject import Subject
from xmirad.types import ItemFilter


@dataclass(frozen=True, slots=True)
class RankedItem:
    """An item as a query, and its first results. Positions are those of the subject.

    Attributes:
        query: Position of the query.
        results: Positions of the results, best first.
        scores: Their cosine similarities, -1 to 1.
        relevant: Which of them share a label with the query.
    """

    query: int
    results: tuple[int, ...]
    scores: tuple[float, ...]
    relevant: tuple[bool, ...]

    @property
    def correct(self) -> int:
        """How many results share a label with the query."""
        return sum(self.relevant)


def first_results(subject: Subject, *, count: int) -> dict[int, RankedItem]:
    """Search with every item for the others, exactly; what has no labels is not searched with.

    Args:
        subject: The archive.
        count: How many results of each; fewer in an archive of fewer items.

    Returns:
        By the query's position. An item that could not be searched with is left out.

    Raises:
        ArchiveNotReadyError: If the archive changed meanwhile.
        XmiradError: If the service refuses or breaks off.
    """
    positions = {name: position for position, name in enumerate(subject.archive.names)}
    asked = [position for position, item in enumerate(subject.items) if item.attributes.labels]
    top_k = min(count, len(positions) - 1)
    ranked: dict[int, RankedItem] = {}
    run = subject.run
    outcomes = run.service.stream_search(
        subject.archive.archive, _searches(subject, asked, top_k), in_flight=run.options.search_window
    )
    for done, outcome in enumerate(outcomes, start=1):
        query = int(outcome.correlation_id)
        if outcome.response is not None:
            ranked[query] = _ranked(subject, query, outcome.response.results, positions)
        run.progress(Stage.SEARCH, done, len(asked))
    return ranked


def _searches(subject: Subject, asked: Sequence[int], top_k: int) -> Iterator[StreamedSearch]:
    for query in asked:
        name = subject.archive.names[query]
        yield StreamedSearch(
            correlation_id=str(query),
            source=name,
            top_k=top_k,
            filter=ItemFilter(excluded_items=(name,)),
            exact=True,
            view=SearchView.RANKING,
        )


def _ranked(subject: Subject, query: int, results: Sequence[SearchResult], positions: Mapping[str, int]) -> RankedItem:
    if any(result.item not in positions for result in results):
        raise ArchiveNotReadyError("an item was found that was not stored; was the archive changed meanwhile?")
    found = tuple(positions[result.item] for result in results)
    return RankedItem(
        query=query,
        results=found,
        scores=tuple(float(result.score) for result in results),
        relevant=tuple(subject.is_relevant(query, result) for result in found),
    )
