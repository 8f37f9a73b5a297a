"""Replaying images as queries against an archive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xmirad.api.vocabulary import SearchView
from xmirad.client.search_types import StreamedOutcome, StreamedSearch
from xmirad.errors import ArchiveNotReadyError, InternalError, XmiradError
from xmirad.evaluation.asking import Asked
from xmirad.evaluation.options import Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.run import Run
from xmirad.evaluation.truth import IntArray
from xmirad.evaluation.uploading import FilledArchive, read_image, retried
from xmirad.types import Float32Array, ItemFilter

NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class RankedQuery:
    """The answer to one query.

    Attributes:
        query: The query's position in `Asked`.
        ranking: `[K]`, positions of the results in `FilledArchive.names`, best first.
        scores: `[K]`, cosine similarities, -1 to 1.
    """

    query: int
    ranking: IntArray
    scores: Float32Array


def ranked_results(run: Run, archive: FilledArchive, asked: Asked) -> int:
    """Return how many results every query ranks: all items but its own, or the cutoff in a large archive."""
    others = len(archive.names) - int(asked.leave_one_out)
    return others if others < run.options.max_whole_ranking else run.options.cutoff


def replay(
    run: Run, archive: FilledArchive, asked: Asked, *, top_k: int, chosen: Sequence[int] | None = None
) -> Iterator[RankedQuery | Failure]:
    """Search with images, exactly and without their own items, and yield what came of each, in any order.

    The images are sent again, so that a query goes the whole way that a reader's image goes. In a leave-one-out replay
    a byte-identical copy that is another item stays in the ranking.

    Args:
        run: The evaluation.
        archive: The archive to search.
        asked: The queries.
        top_k: How many results to rank, at most as many as a query can find.
        chosen: Positions of the queries to search with; None: all.

    Raises:
        XmiradError: If the service refuses or breaks off the stream.
    """
    positions = {name: position for position, name in enumerate(archive.names)}
    unreadable: list[Failure] = []
    queries = range(len(asked)) if chosen is None else chosen

    def stream(numbers: Sequence[int]) -> Iterator[StreamedOutcome]:
        searches = _searches(run, archive, asked, numbers, top_k=top_k, unreadable=unreadable)
        return run.service.stream_search(archive.archive, searches, in_flight=run.options.search_window)

    for outcome in retried(queries, stream):
        query = int(outcome.correlation_id)
        own = query if asked.leave_one_out else NOBODY
        answer = _ranking(outcome, query, positions=positions, own=own, top_k=top_k)
        file = asked.images[query].item.path.name
        yield _failure(file, answer) if isinstance(answer, XmiradError) else answer
    yield from unreadable


def _searches(
    run: Run, archive: FilledArchive, asked: Asked, queries: Sequence[int], *, top_k: int, unreadable: list[Failure]
) -> Iterator[StreamedSearch]:
    for query in queries:
        image = read_image(asked.images[query].item, max_bytes=run.max_image_bytes)
        if isinstance(image, Failure):
            unreadable.append(replace(image, stage=Stage.SEARCH))
            continue
        yield StreamedSearch(
            correlation_id=str(query),
            source=image,
            top_k=top_k,
            filter=ItemFilter(excluded_items=(archive.names[query],) if asked.leave_one_out else ()),
            exact=True,
            view=SearchView.RANKING,
        )


def _ranking(
    outcome: StreamedOutcome, query: int, *, positions: Mapping[str, int], own: int, top_k: int
) -> RankedQuery | XmiradError:
    if outcome.response is None:
        return outcome.error or InternalError("the search has neither answer nor error")
    results = outcome.response.results
    ranking = [positions.get(result.item, NOBODY) for result in results]
    if len(results) != top_k or len(set(ranking) - {NOBODY, own}) != top_k:
        message = f"{len(results)} items were ranked instead of the {top_k} others; was the archive changed meanwhile?"
        return ArchiveNotReadyError(message, metadata={"results": str(len(results)), "expected": str(top_k)})
    scores = np.array([result.score for result in results], dtype=np.float32)
    return RankedQuery(query, np.array(ranking, dtype=np.intp), scores)


def _failure(file: str, error: XmiradError) -> Failure:
    return Failure(file, Stage.SEARCH, reason=error.reason, message=error.message)
