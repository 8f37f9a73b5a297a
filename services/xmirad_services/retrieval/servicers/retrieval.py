"""`RetrievalService`."""

from collections.abc import AsyncIterator, Sequence

from xmirad.access.caller import Scope
from xmirad.api import checks
from xmirad.api.conversion import embedding_to_proto, filter_from_proto, identity_to_proto, patient_from_proto
from xmirad.api.enums import PATIENT_POLICY, QUERY_ITEM_EXCLUSION, SAME_PATIENT, SEARCH_VIEW
from xmirad.api.errors import to_proto_error
from xmirad.api.evidence import evidence_to_proto
from xmirad.api.images import encoded_image_from_proto
from xmirad.api.ranking import ranking_to_proto
from xmirad.api.v1 import retrieval_service_pb2 as pb
from xmirad.api.v1 import retrieval_service_pb2_grpc as pb_grpc
from xmirad.api.vocabulary import SearchView
from xmirad.archive.search import RankedItem
from xmirad.errors import InvalidRequestError, XmiradError
from xmirad.ids import explanation_name, item_name, parse_archive_name
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.settings import LimitSettings
from xmirad.types import EncodedImage
from xmirad_services.retrieval.byte_budget import ByteBudget
from xmirad_services.retrieval.door import check_request, current_caller
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.explanation_task import ExplanationTask
from xmirad_services.retrieval.interceptors import Context, as_domain_error, request_id
from xmirad_services.retrieval.item_details import ItemDetails
from xmirad_services.retrieval.searching import SearchAnswer, Searcher, SearchTask
from xmirad_services.retrieval.servicers.archive_messages import partial_index_message
from xmirad_services.retrieval.servicers.sources import source_from_proto
from xmirad_services.retrieval.streams import answered

STREAM_IN_FLIGHT = 16
MILLISECONDS = 1_000.0


class RetrievalServicer(pb_grpc.RetrievalServiceServicer):
    """Answers searches."""

    def __init__(
        self,
        searcher: Searcher,
        details: ItemDetails,
        metrics: RetrievalMetrics,
        limits: LimitSettings,
        *,
        budget: ByteBudget,
        explainer: Explainer,
    ) -> None:
        """Search within limits; `details` fills the FULL view, `explainer` answers `explain_top`."""
        self._explainer = explainer
        self._searcher = searcher
        self._metrics = metrics
        self._budget = budget
        self._details = details
        self._limits = limits

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """Return the nearest items of a query."""
        return await self._search(request)

    async def StreamSearch(
        self, request_iterator: AsyncIterator[pb.StreamSearchRequest], context: Context
    ) -> AsyncIterator[pb.StreamSearchResponse]:
        """Answer many searches over one call."""
        async for response in answered(
            request_iterator,
            self._streamed,
            limit=STREAM_IN_FLIGHT,
            size_of=pb.StreamSearchRequest.ByteSize,
            budget=self._budget,
        ):
            yield response

    async def EmbedImage(self, request: pb.EmbedImageRequest, context: Context) -> pb.EmbedImageResponse:
        """Compute the embedding of an image; only its digest for a caller without the scope."""
        image = encoded_image_from_proto(request, max_image_bytes=self._limits.max_image_bytes)
        query, model = await self._searcher.embed(image, model=checks.model(request.model))
        response = pb.EmbedImageResponse(
            model=f"models/{model}", image_digest=query.digest, request_id=request_id.get()
        )
        if Scope.EMBEDDING in current_caller().scopes:
            response.embedding.CopyFrom(embedding_to_proto(query.embedding))
            if query.untrained_features is not None:
                response.untrained_features.CopyFrom(embedding_to_proto(query.untrained_features))
        return response

    async def _streamed(self, request: pb.StreamSearchRequest) -> pb.StreamSearchResponse:
        correlation_id = request.correlation_id
        try:
            checks.correlation_id(correlation_id)
            check_request(request.search)
            return pb.StreamSearchResponse(correlation_id=correlation_id, response=await self._search(request.search))
        except Exception as error:  # noqa: BLE001 - the answer to this one search
            failure = to_proto_error(as_domain_error(error))
            return pb.StreamSearchResponse(correlation_id=correlation_id, error=failure)

    async def _search(self, request: pb.SearchRequest) -> pb.SearchResponse:
        view = SEARCH_VIEW.from_proto(request.view, field="view")
        task = self._task(request, view)
        explain_top = self._explain_top(request, view)
        answer = await self._searcher.search(task)
        self._measure(answer)
        response = _response(answer)
        if answer.evidence is not None:
            response.evidence.CopyFrom(evidence_to_proto(answer.evidence))
        if view is SearchView.RANKING:
            results = answer.outcome.results
            ranking = ranking_to_proto((found.item for found in results), (found.score for found in results))
            response.ranking.CopyFrom(ranking)
            return response
        response.results.extend(_result(task.archive, found) for found in answer.outcome.results)
        if view is SearchView.FULL:
            await self._fill(answer, response)
        if explain_top:
            await self._explain(task, response.results[:explain_top], response)
        return response

    def _explain_top(self, request: pb.SearchRequest, view: SearchView) -> int:
        if request.explain_top and view is SearchView.RANKING:
            raise InvalidRequestError("explain_top is not for the RANKING view", field="explain_top")
        maximum = min(request.top_k, self._explainer.parts.max_batch)
        return checks.whole_number(request.explain_top, field="explain_top", minimum=0, maximum=maximum)

    async def _explain(self, task: SearchTask, results: Sequence[pb.SearchResult], response: pb.SearchResponse) -> None:
        """Name the explanations of results; the results are worth something without them."""
        if not results:
            return
        items = tuple(result.item.rpartition("/")[2] for result in results)
        fields = ("explain_top",) * len(items)
        try:
            created = await self._explainer.create(
                ExplanationTask(
                    site=task.site,
                    archive=task.archive,
                    source=task.source,
                    judged=task.judged,
                    items=items,
                    fields=fields,
                )
            )
        except XmiradError as error:
            response.explanation_error.CopyFrom(to_proto_error(error))
            return
        for result, asked in zip(results, created, strict=True):
            result.explanation = explanation_name(asked.request.explanation)

    def _task(self, request: pb.SearchRequest, view: SearchView) -> SearchTask:
        archive = parse_archive_name(request.archive, field="archive")
        caller, ranking = current_caller(), view is SearchView.RANKING
        evaluates = ranking and Scope.EVALUATE in caller.scopes
        maximum = self._limits.max_ranking_top_k if evaluates else self._limits.max_top_k
        source, judged = source_from_proto(request, archive=archive, max_image_bytes=self._limits.max_image_bytes)
        if request.exclude_query_item and not isinstance(source, str | EncodedImage):
            message = "exclude_query_item needs an item or an image: a vector does not say whose it is"
            raise InvalidRequestError(message, field="exclude_query_item")
        return SearchTask(
            archive=archive,
            source=source,
            top_k=checks.top_k(request.top_k, maximum=maximum),
            filter=filter_from_proto(request.filter, archive=archive),
            patient=patient_from_proto(request.patient) if request.HasField("patient") else None,
            patient_policy=PATIENT_POLICY.from_proto(request.patient_policy, field="patient_policy"),
            exclude_query_item=request.exclude_query_item,
            min_score=checks.min_score(request.min_score) if request.HasField("min_score") else None,
            exact=request.exact,
            model=checks.model(request.model),
            with_payload=not ranking,
            site=caller.site,
            judged=judged,
            with_evidence=request.evidence,
            allow_partial=request.allow_partial,
        )

    async def _fill(self, answer: SearchAnswer, response: pb.SearchResponse) -> None:
        items = [found.item for found in answer.outcome.results]
        for result, detail in zip(response.results, await self._details.of(answer.archive, items), strict=True):
            if detail is not None:
                result.identity.CopyFrom(identity_to_proto(detail.record.identity))
                result.thumbnail = detail.thumbnail

    def _measure(self, answer: SearchAnswer) -> None:
        self._metrics.search_seconds.observe(answer.outcome.seconds)
        if answer.query.embed_seconds:
            self._metrics.decode_seconds.observe(answer.query.decode_seconds)
            self._metrics.embed_seconds.observe(answer.query.embed_seconds)


def _result(archive: str, found: RankedItem) -> pb.SearchResult:
    return pb.SearchResult(
        item=item_name(archive, found.item),
        rank=found.rank,
        score=found.score,
        labels=found.payload.attributes.labels if found.payload else (),
        same_patient=SAME_PATIENT.to_proto(found.same_patient),
    )


def _response(answer: SearchAnswer) -> pb.SearchResponse:
    outcome, query = answer.outcome, answer.query
    return pb.SearchResponse(
        model=f"models/{answer.archive.model}",
        query_digest=query.digest,
        searched_items=outcome.searched_items,
        exact=outcome.exact,
        query_item_exclusion=QUERY_ITEM_EXCLUSION.to_proto(answer.exclusion),
        timings=pb.SearchTimings(
            decode_ms=query.decode_seconds * MILLISECONDS,
            embed_ms=query.embed_seconds * MILLISECONDS,
            search_ms=outcome.seconds * MILLISECONDS,
        ),
        request_id=request_id.get(),
        decoding_notes=query.decoding_notes,
        partial=None if answer.partial is None else partial_index_message(answer.partial),
    )
