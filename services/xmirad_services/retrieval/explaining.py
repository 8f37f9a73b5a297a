"""Answers questions why: from a query of any kind and a result to explanations."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from xmirad.errors import ExplanationNotFoundError, ItemNotFoundError
from xmirad.explanations.defaults import with_defaults
from xmirad.explanations.ports import BoardEvent, QueueName
from xmirad.explanations.records import (
    AttentionParameters,
    ExplanationRequest,
    ImageKind,
    ImageReference,
    MethodName,
)
from xmirad.explanations.store import Asked
from xmirad.explanations.watching import Snapshot
from xmirad.ids import item_name
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.types import EncodedImage
from xmirad_services.retrieval.explained_queries import Keep, kept_image, kept_vector, moved_vector
from xmirad_services.retrieval.explanation_parts import ExplanationParts
from xmirad_services.retrieval.explanation_task import ExplanationTask
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives

NOTHING = ImageReference(ImageKind.ITEM, "")


class Explainer:
    """Creates, reads and deletes explanations on the lanes of the service.

    Attributes:
        parts: What it works with.
        leaving: Set when the service is about to stop.
    """

    def __init__(self, archives: OpenArchives, parts: ExplanationParts, tools: Tools) -> None:
        """Explain what archives answer; each site sees its own explanations only."""
        self.parts = parts
        self.leaving = asyncio.Event()
        self._archives = archives
        self._tools = tools

    async def create(self, task: ExplanationTask) -> list[Asked]:
        """Create the explanations of a task, all or none.

        Raises:
            XmiradError: As named in the error index; the field at fault is named.
        """
        self._tools.lanes.turns.reader_is_here()
        opened = await self._archives.get(task.archive, site=task.site)
        common = await self._common(opened, task)
        names = zip(task.items, task.fields, strict=True)
        results = [await self._item(opened, item, field) for item, field in names]
        query, keep = await self._query(opened, task)
        requests = [with_defaults(replace(common, query=query, result=result)) for result in results]
        blobs, creator = self._tools.lanes.blobs, self.parts.creator
        await blobs.run(Priority.INTERACTIVE, creator.check, requests)
        if keep is not None:
            await blobs.run(Priority.INTERACTIVE, keep)
        queue = QueueName[task.priority.name]
        lane = blobs if task.method is MethodName.OCCLUSION else self._tools.lanes.model
        return await lane.run(Priority.INTERACTIVE, lambda: creator.create_all(requests, queue=queue))

    async def snapshot(self, explanation: str, *, site: str, with_maps: bool = True) -> Snapshot:
        """Return what is known of an explanation of a site.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
        """
        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, lambda: self._read(explanation, site, with_maps))

    async def page(self, *, site: str, after: str, archive: str, limit: int) -> list[Snapshot]:
        """Return a site's explanations behind an id, in order, without maps; those of one archive, or of all."""

        def read() -> list[Snapshot]:
            found = self.parts.store.page(site=site, archive=archive, after=after, limit=limit)
            return [self.parts.watcher.snapshot_of(asked, with_maps=False) for asked in found]

        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, read)

    async def events(self, explanation: str, *, after: str) -> Sequence[BoardEvent]:
        """Return what was announced behind a token; nothing if the board cannot be reached or has lost it."""
        watcher = self.parts.watcher
        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, lambda: watcher.events(explanation, after=after))

    async def cancel(self, explanation: str, *, site: str) -> Snapshot:
        """Cancel an explanation and return what is known of it, without maps.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
        """
        await self.snapshot(explanation, site=site, with_maps=False)
        await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.parts.completion.cancel, explanation)
        return await self.snapshot(explanation, site=site, with_maps=False)

    async def delete(self, explanation: str, *, site: str) -> None:
        """Delete an explanation.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
        """
        await self.snapshot(explanation, site=site, with_maps=False)
        await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.parts.forgetter.delete, explanation)

    async def forget_item(self, item: str, creation: str) -> None:
        """Delete the explanations in which a deleted item of an archive plays a part."""
        forget = self.parts.forgetter.delete_of_items
        await self._tools.lanes.blobs.run(Priority.BACKGROUND, forget, creation, [item])

    async def forget_archive(self, creation: str) -> None:
        """Delete all explanations of an archive."""
        await self._tools.lanes.blobs.run(Priority.BACKGROUND, self.parts.forgetter.delete_of_archive, creation)

    def _read(self, explanation: str, site: str, with_maps: bool) -> Snapshot:
        snapshot = self.parts.watcher.snapshot(explanation, with_maps=with_maps)
        if snapshot.asked.request.site != site:
            message = "there is no such explanation"
            raise ExplanationNotFoundError(message, field="name", metadata={"explanation": explanation})
        return snapshot

    async def _common(self, opened: OpenArchive, task: ExplanationTask) -> ExplanationRequest:
        """Return the request that all pairs share, with places for query and result."""
        recipe = opened.require_artifact().preprocessing
        contrast = [task.contrast] if task.contrast else []
        return ExplanationRequest(
            site=task.site,
            archive=task.archive,
            model=opened.record.model,
            preprocessing=recipe.digest,
            size=recipe.crop_size,
            query=NOTHING,
            result=NOTHING,
            method=task.method,
            explained_image=task.explained_image,
            contrast=next(iter(await self._items(opened, contrast, "options.contrast_item")), None),
            occlusion=task.occlusion,
            attention=AttentionParameters(
                form=task.form,
                positives=await self._items(opened, task.positives, "options.attention.positive_items"),
                negatives=await self._items(opened, task.negatives, "options.attention.negative_items"),
            ),
            activation=task.activation,
            published_fidelity=task.published_fidelity,
            made_from=task.made_from,
        )

    async def _query(self, opened: OpenArchive, task: ExplanationTask) -> tuple[ImageReference, Keep | None]:
        """Return the query, and what keeps it if it is no item."""
        if task.judged is not None:
            moved = await moved_vector(opened, task, task.judged, self._tools)
            return kept_vector(moved, opened, self.parts.images)
        if isinstance(task.source, str):
            return await self._item(opened, task.source, "query.item"), None
        if isinstance(task.source, EncodedImage):
            return await kept_image(task.source, opened, self._tools, self.parts.images)
        return kept_vector(task.source, opened, self.parts.images)

    async def _items(self, opened: OpenArchive, items: Sequence[str], field: str) -> tuple[ImageReference, ...]:
        return tuple([await self._item(opened, item, field) for item in items])

    async def _item(self, opened: OpenArchive, item: str, field: str) -> ImageReference:
        def read() -> ImageReference:
            record = self._tools.catalog.item(opened.record, item)
            if record is None:
                name = item_name(opened.record.archive, item)
                raise ItemNotFoundError(f"there is no item {name}", field=field, metadata={"item": name})
            return ImageReference(ImageKind.ITEM, record.image, item, record.geometry)

        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, read)
