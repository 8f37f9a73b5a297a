"""Deletes items so that nothing of their images stays behind.

The tombstone comes first and the item's records go last: whatever cuts a deletion short, asking again completes it.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from xmirad.archive.conditions import AnyOf, Condition, PayloadField
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.errors import ItemNotFoundError, XmiradError
from xmirad.ids import item_name
from xmirad.indexing.runner import Tools
from xmirad.indexing.uninterrupted import uninterrupted
from xmirad.lanes import Priority
from xmirad.types import OriginalsPolicy
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives

PAGE = 500
Forget = Callable[[str, Sequence[str]], Awaitable[None]]
_log = structlog.get_logger(__name__)


class Purger:
    """Deletes items from index and truth, leaving a tombstone."""

    def __init__(self, archives: OpenArchives, tools: Tools, *, forget: Forget) -> None:
        """Delete from the archives of a site; `forget` deletes the explanations of items."""
        self._forget = forget
        self._archives = archives
        self._tools = tools

    async def delete(self, opened: OpenArchive, item: str) -> None:
        """Delete an item.

        Raises:
            ItemNotFoundError: If there is no such item.
        """
        archive = opened.record.archive
        record = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._tools.catalog.item, archive, item)
        if record is None:
            name = item_name(archive, item)
            raise ItemNotFoundError(f"there is no item {name}", field="name", metadata={"item": name})
        await self._bury_all(opened, [record])

    async def select(self, opened: OpenArchive, condition: Condition) -> list[str]:
        """Return the ids of the items that meet a condition."""
        items: list[str] = []
        while page := await self._page(opened, condition, items[-1] if items else None):
            items += page
        return items

    async def delete_all(self, opened: OpenArchive, items: Sequence[str]) -> int:
        """Delete items; those that went meanwhile are passed over. Return how many were deleted."""
        archive, catalog = opened.record.archive, self._tools.catalog
        found = await self._tools.lanes.blobs.run(
            Priority.INTERACTIVE, lambda: [catalog.item(archive, item) for item in items]
        )
        records = [record for record in found if record is not None]
        await self._bury_all(opened, records)
        return len(records)

    async def empty(self, opened: OpenArchive) -> None:
        """Delete every item of an archive that is about to be deleted itself, and finish deletions cut short."""
        await self.finish(opened)
        archive, catalog = opened.record.archive, self._tools.catalog
        records = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, lambda: list(catalog.items(archive)))
        await self._bury_all(opened, records)

    async def finish(self, opened: OpenArchive) -> None:
        """Finish deletions that were cut short: their items are gone from the index, so no selection finds them."""
        archive, catalog = opened.record.archive, self._tools.catalog
        records = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, lambda: list(catalog.half_deleted(archive)))
        await self._bury_all(opened, records)

    async def _page(self, opened: OpenArchive, condition: Condition, after: str | None) -> list[str]:
        def scan() -> list[str]:
            return [found.item for found in opened.archive.scan(after=after, limit=PAGE, where=condition)]

        return await self._tools.lanes.store.run(Priority.BACKGROUND, scan)

    async def _bury_all(self, opened: OpenArchive, records: Sequence[ItemRecord]) -> None:
        """Delete items, after the explanations in which they play a part: those are looked for but once."""
        if records:
            await self._forget(opened.record.archive, [record.item for record in records])
        for record in records:
            await self._bury(opened, record)

    async def _bury(self, opened: OpenArchive, record: ItemRecord) -> None:
        """Delete under the locks of item, image and file, so that no upload of the same is under way meanwhile."""
        async with self._tools.locks.holding(record.item, record.image, record.file):
            await uninterrupted(self._erase(opened, record))

    async def _erase(self, opened: OpenArchive, record: ItemRecord) -> None:
        lanes, catalog, images = self._tools.lanes, self._tools.catalog, self._tools.images
        await lanes.blobs.run(Priority.BACKGROUND, catalog.bury_item, record.archive, record.item)
        await lanes.store.run(Priority.BACKGROUND, opened.archive.delete, [record.item])
        policies = await self._policies_of_users(record.image)
        if not policies:
            await lanes.blobs.run(Priority.BACKGROUND, images.delete, record.image, record.file)
        elif OriginalsPolicy.COPY not in policies:
            await lanes.blobs.run(Priority.BACKGROUND, images.delete_original, record.image, record.file)
        await lanes.blobs.run(Priority.BACKGROUND, catalog.forget_item, record.archive, record.item)

    async def _policies_of_users(self, image: str) -> set[OriginalsPolicy]:
        """Return what the archives that use an image keep of files. All sites are asked, for all share the images."""
        policies: set[OriginalsPolicy] = set()
        for record in await self._tools.lanes.blobs.run(Priority.BACKGROUND, self._tools.catalog.archives):
            if record.originals not in policies and await self._uses(record, image):
                policies.add(record.originals)
        return policies

    async def _uses(self, record: ArchiveRecord, image: str) -> bool:
        """Ask an archive's index, or the records where it has none that answers: it may be another site's affair."""
        same_image = AnyOf(PayloadField.IMAGE_DIGEST, (image,))
        try:
            handle = await self._archives.handle(record)
            return await self._tools.lanes.store.run(Priority.BACKGROUND, handle.count, same_image) > 0
        except XmiradError as error:
            _log.warning("archive.not_counted", archive=record.archive, reason=error.reason)
        items = self._tools.catalog.items
        return await self._tools.lanes.blobs.run(
            Priority.BACKGROUND, lambda: any(item.image == image for item in items(record.archive))
        )
