"""`ExplanationService`."""

from collections.abc import AsyncIterator

from xmirad.api import checks
from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.api.v1 import explanation_service_pb2_grpc as pb_grpc
from xmirad.explanations.watching import Snapshot
from xmirad.ids import explanation_name, parse_archive_name, parse_explanation_name
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.explanation_task import ExplanationTask
from xmirad_services.retrieval.interceptors import Context, request_id
from xmirad_services.retrieval.overlays import Overlays
from xmirad_services.retrieval.replays import Replays, replayable
from xmirad_services.retrieval.servicers.explanation_messages import explanation_message
from xmirad_services.retrieval.servicers.explanation_tasks import task_of_many, task_of_one
from xmirad_services.retrieval.watching import watched


class ExplanationServicer(pb_grpc.ExplanationServiceServicer):
    """Explains pairs of images."""

    def __init__(
        self,
        explainer: Explainer,
        overlays: Overlays,
        metrics: RetrievalMetrics,
        *,
        replays: Replays,
        max_image_bytes: int,
    ) -> None:
        """Explain images of at most so many bytes."""
        self._replays = replays
        self._explainer = explainer
        self._overlays = overlays
        self._metrics = metrics
        self._max_image_bytes = max_image_bytes

    async def CreateExplanation(
        self, request: pb.CreateExplanationRequest, context: Context
    ) -> pb.CreateExplanationResponse:
        """Ask for the maps of one query and one result."""
        site = current_caller().site
        task = task_of_one(request, site=site, max_image_bytes=self._max_image_bytes)
        [explanation] = await self._created(request, task)
        snapshot = await self._explainer.snapshot(explanation, site=site)
        self._metrics.explanation_created(snapshot.state)
        message = await self._message(snapshot, include_overlay=request.include_overlay)
        return pb.CreateExplanationResponse(explanation=message, request_id=request_id.get())

    async def BatchCreateExplanations(
        self, request: pb.BatchCreateExplanationsRequest, context: Context
    ) -> pb.BatchCreateExplanationsResponse:
        """Ask for the maps of one query and several results."""
        site, max_batch = current_caller().site, self._explainer.parts.max_batch
        task = task_of_many(request, site=site, max_image_bytes=self._max_image_bytes, max_batch=max_batch)
        messages = []
        for explanation in await self._created(request, task):
            snapshot = await self._explainer.snapshot(explanation, site=site, with_maps=False)
            self._metrics.explanation_created(snapshot.state)
            messages.append(explanation_message(snapshot))
        return pb.BatchCreateExplanationsResponse(explanations=messages, request_id=request_id.get())

    async def _created(
        self, request: pb.CreateExplanationRequest | pb.BatchCreateExplanationsRequest, task: ExplanationTask
    ) -> list[str]:
        """Return the ids of what was asked for. Of a replay they are the first answer's; what they show is of now."""

        async def create() -> pb.BatchCreateExplanationsResponse:
            created = await self._explainer.create(task)
            names = [explanation_name(asked.request.explanation) for asked in created]
            return pb.BatchCreateExplanationsResponse(explanations=[pb.Explanation(name=name) for name in names])

        answer = await self._replays.once(request, create, pb.BatchCreateExplanationsResponse)
        return [parse_explanation_name(found.name, field="name") for found in answer.explanations]

    async def GetExplanation(self, request: pb.GetExplanationRequest, context: Context) -> pb.GetExplanationResponse:
        """Return an explanation as it is now."""
        explanation = parse_explanation_name(request.name, field="name")
        snapshot = await self._explainer.snapshot(explanation, site=current_caller().site)
        message = await self._message(snapshot, include_overlay=request.include_overlay)
        return pb.GetExplanationResponse(explanation=message)

    async def ListExplanations(
        self, request: pb.ListExplanationsRequest, context: Context
    ) -> pb.ListExplanationsResponse:
        """List the explanations of the site in the order of their ids."""
        size = checks.page_size(request.page_size)
        archive = parse_archive_name(request.archive, field="archive") if request.archive else ""
        after = checks.word(request.page_token, field="page_token")
        found = await self._explainer.page(site=current_caller().site, after=after, archive=archive, limit=size + 1)
        page = found[:size]
        return pb.ListExplanationsResponse(
            explanations=map(explanation_message, page),
            next_page_token=page[-1].asked.request.explanation if len(found) > size else "",
        )

    async def WatchExplanation(
        self, request: pb.WatchExplanationRequest, context: Context
    ) -> AsyncIterator[pb.WatchExplanationResponse]:
        """Return an explanation as it is now, and again after every change."""
        explanation = parse_explanation_name(request.name, field="name")
        site = current_caller().site
        async for snapshot, token in watched(self._explainer, explanation, site=site, token=request.resume_token):
            message = await self._message(snapshot, include_overlay=request.include_overlay)
            yield pb.WatchExplanationResponse(explanation=message, resume_token=token)

    @replayable(pb.CancelExplanationResponse)
    async def CancelExplanation(
        self, request: pb.CancelExplanationRequest, context: Context
    ) -> pb.CancelExplanationResponse:
        """Stop the work on an explanation."""
        explanation = parse_explanation_name(request.name, field="name")
        snapshot = await self._explainer.cancel(explanation, site=current_caller().site)
        return pb.CancelExplanationResponse(explanation=explanation_message(snapshot))

    @replayable(pb.DeleteExplanationResponse, deletes=True)
    async def DeleteExplanation(
        self, request: pb.DeleteExplanationRequest, context: Context
    ) -> pb.DeleteExplanationResponse:
        """Delete an explanation with its maps."""
        explanation = parse_explanation_name(request.name, field="name")
        await self._explainer.delete(explanation, site=current_caller().site)
        return pb.DeleteExplanationResponse()

    async def _message(self, snapshot: Snapshot, *, include_overlay: bool) -> pb.Explanation:
        overlays = await self._overlays.of(snapshot) if include_overlay else ()
        return explanation_message(snapshot, overlays=overlays)
