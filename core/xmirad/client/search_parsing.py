"""Reading answers to searches. Knows no transport."""

from xmirad.api.enums import QUERY_ITEM_EXCLUSION, SAME_PATIENT
from xmirad.api.errors import from_proto_error
from xmirad.api.ranking import ranking_from_proto
from xmirad.api.v1 import retrieval_service_pb2
from xmirad.api.vocabulary import QueryItemExclusion
from xmirad.client import parsing
from xmirad.client.search_types import SearchResponse, SearchResult, SearchTimings, StreamedOutcome
from xmirad.client.types import Embedded
from xmirad.errors import InternalError
from xmirad.evidence.weighing import Evidence, LabelEvidence


def search_response(message: retrieval_service_pb2.SearchResponse, *, archive: str) -> SearchResponse:
    """Read the answer to a search of an archive, in whatever view it came.

    Raises:
        InternalError: If a ranking does not have one score for each item.
    """
    timings = message.timings
    return SearchResponse(
        results=_ranking(message.ranking, archive) if message.HasField("ranking") else _results(message),
        model=message.model,
        query_digest=message.query_digest,
        searched_items=message.searched_items,
        exact=message.exact,
        query_item_exclusion=QUERY_ITEM_EXCLUSION.read(message.query_item_exclusion) or QueryItemExclusion.NONE,
        timings=SearchTimings(timings.decode_ms, timings.embed_ms, timings.search_ms),
        request_id=message.request_id,
        explanation_error=from_proto_error(message.explanation_error)
        if message.HasField("explanation_error")
        else None,
        evidence=evidence(message.evidence) if message.HasField("evidence") else None,
        decoding_notes=tuple(message.decoding_notes),
        partial=parsing.partial_index(message.partial) if message.HasField("partial") else None,
    )


def evidence(message: retrieval_service_pb2.Evidence) -> Evidence:
    """Read what the nearest items say of a query."""
    return Evidence(
        labels=tuple(
            LabelEvidence(each.label, each.confidence if each.HasField("confidence") else None, each.item_count)
            for each in message.labels
        ),
        counted_items=message.counted_items,
        same_patient_items=message.same_patient_items,
        mean_distance=message.mean_distance if message.HasField("mean_distance") else None,
        calibrated=message.calibrated,
        calibration_queries=message.calibration_query_count,
        distance_threshold=message.distance_threshold if message.HasField("distance_threshold") else None,
        out_of_distribution=message.out_of_distribution if message.HasField("out_of_distribution") else None,
    )


def streamed_outcome(message: retrieval_service_pb2.StreamSearchResponse, *, archive: str) -> StreamedOutcome:
    """Read what became of a search of a stream."""
    response = search_response(message.response, archive=archive) if message.HasField("response") else None
    error = from_proto_error(message.error) if message.HasField("error") else None
    if response is None and error is None:
        error = parsing.neither_nor()
    return StreamedOutcome(message.correlation_id, response, error)


def embedded(message: retrieval_service_pb2.EmbedImageResponse) -> Embedded:
    """Read an image's embedding."""
    has_own = message.HasField("untrained_features")
    return Embedded(
        message.model,
        message.image_digest,
        parsing.embedding(message.embedding),
        message.request_id,
        parsing.embedding(message.untrained_features) if has_own else None,
    )


def _ranking(message: retrieval_service_pb2.Ranking, archive: str) -> tuple[SearchResult, ...]:
    ranked = enumerate(ranking_from_proto(message, archive=archive), start=1)
    try:
        return tuple(SearchResult(item, rank, score) for rank, (item, score) in ranked)
    except ValueError as error:
        raise InternalError("the service answered with a ranking of unequal halves") from error


def _results(message: retrieval_service_pb2.SearchResponse) -> tuple[SearchResult, ...]:
    return tuple(
        SearchResult(
            item=result.item,
            rank=result.rank,
            score=result.score,
            labels=tuple(result.labels),
            same_patient=SAME_PATIENT.read(result.same_patient),
            identity=parsing.identity(result.identity) if result.HasField("identity") else None,
            thumbnail=result.thumbnail,
            explanation=result.explanation,
        )
        for result in message.results
    )
