"""Computes ahead what occlusion maps of items are made of."""

from collections.abc import Sequence

from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.errors import InvalidRequestError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad_services.retrieval.explanation_parts import ExplanationParts
from xmirad_services.retrieval.open_archives import OpenArchive


class Warming:
    """Plans and starts warming on the lane of the blobs."""

    def __init__(self, parts: ExplanationParts, tools: Tools) -> None:
        """Warm the cache of explanations."""
        self._parts = parts
        self._tools = tools

    async def answer(
        self, opened: OpenArchive, items: Sequence[str], *, dry_run: bool, cancel: bool
    ) -> pb.WarmArchiveResponse:
        """Say what warming items takes, and unless it is a dry run begin with it, or end it.

        Raises:
            InvalidRequestError: If it would take more bytes than the cache may have, or is to be both tried and ended.
            BackendUnavailableError: If the queue cannot be reached.
        """
        if dry_run and cancel:
            raise InvalidRequestError("cancel and dry_run exclude each other", field="cancel")
        lane, warmer, size = self._tools.lanes.blobs, self._parts.warmer, opened.record.embedding_size
        entries = await lane.run(Priority.BACKGROUND, self._entries, opened, items)
        cancelled = await lane.run(Priority.BACKGROUND, warmer.cancel, entries) if cancel else 0
        queued = 0
        if not (dry_run or cancel):
            queued = await lane.run(Priority.BACKGROUND, lambda: warmer.warm(entries, embedding_size=size))
        plan = await lane.run(Priority.BACKGROUND, lambda: warmer.plan(entries, embedding_size=size))
        return pb.WarmArchiveResponse(
            selected_items=len(items),
            complete_items=plan.complete + len(items) - len(entries),
            missing_windows=plan.missing_windows,
            estimated_bytes=plan.size_bytes,
            budget_bytes=plan.budget_bytes,
            queued_tasks=queued,
            given_up_items=plan.given_up,
            cancelled_images=cancelled,
        )

    def _entries(self, opened: OpenArchive, items: Sequence[str]) -> list[OcclusionEntry]:
        """Return the cache entries of items, one for each image."""
        recipe = opened.require_artifact().preprocessing
        records = self._tools.catalog.find_items(opened.record, items)
        images = dict.fromkeys(records[item].image for item in items if item in records)
        return [
            OcclusionEntry(
                site=opened.record.site,
                image=image,
                model=opened.record.model,
                preprocessing=recipe.digest,
                size=recipe.crop_size,
            )
            for image in images
        ]
