"""Deletes items so that nothing of their images stays behind.

The tombstone comes first and the item's records go last: whatever cuts a deletion short, asking again completes it.
"""

from collections.abc import Sequence

from xmirad.archive.conditions import AnyOf, Condition, PayloadField
from xmirad.catalog.records import ItemRecord
from xmirad.errors import ItemNotFoundError
from xmirad.ids import item_name
from xmirad.indexing.runner import Tools
from xmirad.indexing.uninterrupted import uninterrupted
from xmirad.lanes import Priority
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives

PAGE = 500


class Purger:
    """Deletes items from index and truth, leaving a tombstone."""

    def __init__(self, archives: OpenArchives, tools: Tools) -> None:
        """Delete from the archives of a site."""
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
        await self._bury(opened, record)

    async def select(self, opened: OpenArchive, condition: Condition) -> list[str]:
        """Return the ids of the items that meet a condition."""
        items: list[str] = []
        while page := await self._page(opened, condition, items[-1] if items else None):
            items += page
        return items

    async def delete_all(self, opened: OpenArchive, items: Sequence[str]) -> int:
        """Delete items; those that went meanwhile are passed over. Return how many were deleted."""
        deleted = 0
        for item in items:
            try:
                await self.delete(opened, item)
            except ItemNotFoundError:
                continue
            deleted += 1
        return deleted

    async def empty(self, opened: OpenArchive) -> None:
        """Delete every item of an archive that is about to be deleted itself, and finish deletions cut short."""
        archive, catalog = opened.record.archive, self._tools.catalog
        records = await self._tools.lanes.blobs.run(
            Priority.INTERACTIVE, lambda: [*catalog.half_deleted(archive), *catalog.items(archive)]
        )
        for record in records:
            await self._bury(opened, record)

    async def _page(self, opened: OpenArchive, condition: Condition, after: str | None) -> list[str]:
        def scan() -> list[str]:
            return [found.item for found in opened.archive.scan(after=after, limit=PAGE, where=condition)]

        return await self._tools.lanes.store.run(Priority.BACKGROUND, scan)

    async def _bury(self, opened: OpenArchive, record: ItemRecord) -> None:
        """Delete under the locks of item and image, so that no upload of the same image is under way meanwhile."""
        async with self._tools.locks.holding(record.item, record.image):
            await uninterrupted(self._erase(opened, record))

    async def _erase(self, opened: OpenArchive, record: ItemRecord) -> None:
        lanes, catalog = self._tools.lanes, self._tools.catalog
        await lanes.blobs.run(Priority.BACKGROUND, catalog.bury_item, record.archive, record.item)
        await lanes.store.run(Priority.BACKGROUND, opened.archive.delete, [record.item])
        if not await self._is_used_elsewhere(record.image):
            await lanes.blobs.run(Priority.BACKGROUND, self._tools.images.delete, record.image, record.file)
        await lanes.blobs.run(Priority.BACKGROUND, catalog.forget_item, record.archive, record.item)

    async def _is_used_elsewhere(self, image: str) -> bool:
        """Look into the archives of every site, for all share the images."""
        same_image = AnyOf(PayloadField.IMAGE_DIGEST, (image,))
        for record in await self._tools.lanes.blobs.run(Priority.BACKGROUND, self._tools.catalog.archives):
            handle = await self._archives.handle(record)
            if await self._tools.lanes.store.run(Priority.BACKGROUND, handle.count, same_image):
                return True
        return False
