"""Deletes items and archives so that nothing of their images stays behind.

Tombstones come first, and the items' records go last: whatever cuts a deletion short, asking again completes it. Of a
deleted archive the name goes first; its rows go last, and say what is left to do after a crash.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog

from xmirad.archive.conditions import Condition
from xmirad.catalog.purges import BlobPurger
from xmirad.catalog.records import ArchiveRecord, DeletedArchive, ItemReference
from xmirad.errors import ItemNotFoundError
from xmirad.ids import item_name
from xmirad.indexing.runner import Tools
from xmirad.indexing.uninterrupted import uninterrupted
from xmirad.lanes import Priority
from xmirad_services.retrieval.interceptors import as_domain_error
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives

PAGE = 500
PURGE_SECONDS = 60.0
"""How often deleted archives are looked for, of which a failing store has kept something."""
ForgetItem = Callable[[str, str], Awaitable[None]]
ForgetArchive = Callable[[str], Awaitable[None]]
_log = structlog.get_logger(__name__)


class Purger:
    """Deletes items, leaving tombstones that the vector store follows; and what is left of deleted archives.

    Belongs to one event loop.
    """

    def __init__(
        self, tools: Tools, blobs: BlobPurger, *, forget_item: ForgetItem, forget_archive: ForgetArchive
    ) -> None:
        """Delete with some tools.

        Args:
            tools: What the service works with.
            blobs: Deletes blobs that nobody needs any more.
            forget_item: Deletes the explanations of a deleted item of an archive, by its creation id.
            forget_archive: Deletes the explanations of an archive, by its creation id.
        """
        self._forget_item = forget_item
        self._forget_archive = forget_archive
        self._tools = tools
        self._blobs = blobs
        self._work = asyncio.Event()

    async def delete(self, opened: OpenArchive, item: str) -> None:
        """Delete an item, also one whose record cannot be read.

        Raises:
            ItemNotFoundError: If there is no such item.
        """
        if not await self.delete_all(opened, [item]):
            name = item_name(opened.record.archive, item)
            raise ItemNotFoundError(f"there is no item {name}", field="name", metadata={"item": name})

    async def select(self, opened: OpenArchive, condition: Condition) -> list[str]:
        """Return the ids of the items that meet a condition."""
        items: list[str] = []
        while page := await self._page(opened, condition, items[-1] if items else None):
            items += page
        return items

    async def delete_all(self, opened: OpenArchive, items: Sequence[str]) -> int:
        """Delete items; those that went meanwhile are passed over. Return how many were deleted."""
        found = await self._tools.lanes.blobs.run(
            Priority.INTERACTIVE, self._tools.catalog.references, opened.record, items
        )
        await self._each(opened, found, self._delete_item)
        return len(found)

    async def finish(self, opened: OpenArchive) -> None:
        """Finish deletions that were cut short: their items are gone from the index, so no selection finds them."""
        catalog = self._tools.catalog
        found = await self._tools.lanes.blobs.run(
            Priority.INTERACTIVE, lambda: list(catalog.half_deleted(opened.record))
        )
        await self._each(opened, found, self._forget)

    async def forget_explanations(self, opened: OpenArchive) -> None:
        """Delete the explanations of an archive."""
        await self._forget_archive(opened.record.creation)

    def wake(self) -> None:
        """Purge deleted archives now, in the background."""
        self._work.set()

    async def keep_up(self, archives: OpenArchives) -> None:
        """Purge deleted archives until cancelled: at once those that a crash has left."""
        while True:
            self._work.clear()
            await self._purge_archives(archives)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), PURGE_SECONDS)

    async def _purge_archives(self, archives: OpenArchives) -> None:
        with _next_round():
            for record in await self._tools.lanes.blobs.run(Priority.BACKGROUND, self._tools.catalog.archives):
                with _next_round(archive=record.archive):
                    await self._finish_deletions(archives, record)
        with _next_round():
            for deleted in await self._tools.lanes.blobs.run(Priority.BACKGROUND, self._tools.catalog.deleted_archives):
                with _next_round(archive=deleted.archive):
                    await archives.drop(deleted.archive, deleted.creation)
                    await self.purge_archive(deleted)

    async def _finish_deletions(self, archives: OpenArchives, record: ArchiveRecord) -> None:
        """Finish the deletions of items that a crash has cut short; the vector store follows their marks."""
        catalog = self._tools.catalog
        if await self._tools.lanes.blobs.run(Priority.BACKGROUND, lambda: next(catalog.half_deleted(record), None)):
            await self.finish(await archives.get(record.archive, site=record.site))

    async def purge_archive(self, deleted: DeletedArchive) -> None:
        """Delete what is left of an archive that was deleted: what only its items use, then its rows."""
        lanes, catalog, creation = self._tools.lanes, self._tools.catalog, deleted.creation
        # First of all: an item that another process is about to commit is collected as well.
        await lanes.blobs.run(Priority.BACKGROUND, catalog.close_archive, creation)
        await self._forget_archive(creation)
        while await lanes.blobs.run(Priority.BACKGROUND, catalog.forget_some_items, creation):
            pass  # some at a time, so that others have their turns and the service can end
        while await lanes.blobs.run(Priority.BACKGROUND, self._blobs.purge_some):
            pass
        await lanes.blobs.run(Priority.BACKGROUND, catalog.forget_archive, creation)
        _log.info("archive.purged", archive=deleted.archive)

    async def _page(self, opened: OpenArchive, condition: Condition, after: str | None) -> list[str]:
        def scan() -> list[str]:
            return [found.item for found in opened.items.scan(after=after, limit=PAGE, where=condition)]

        return await self._tools.lanes.store.run(Priority.BACKGROUND, scan)

    async def _each(
        self,
        opened: OpenArchive,
        found: Sequence[ItemReference],
        work: Callable[[ArchiveRecord, str], Coroutine[Any, Any, None]],
    ) -> None:
        for each in found:
            async with self._tools.locks.holding(each.item):  # no upload of it is under way meanwhile
                await uninterrupted(work(opened.record, each.item))
        await opened.applier.has_followed(opened.record, [each.item for each in found])

    async def _delete_item(self, record: ArchiveRecord, item: str) -> None:
        await self._tools.lanes.blobs.run(Priority.BACKGROUND, self._tools.catalog.add_tombstones, record, [item])
        await self._forget(record, item)

    async def _forget(self, record: ArchiveRecord, item: str) -> None:
        """Delete what is left of an item that has a tombstone; if it was stored again, it stays."""
        lanes = self._tools.lanes
        await self._forget_item(item, record.creation)  # nobody has it explained since there is a tombstone
        await lanes.blobs.run(Priority.BACKGROUND, self._tools.catalog.forget_items, record, [item])
        await lanes.blobs.run(Priority.BACKGROUND, self._blobs.purge_some)


@contextmanager
def _next_round(*, archive: str = "") -> Iterator[None]:
    """Leave what fails to the next round, so that one archive keeps no other from being purged."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        _log.warning("archives.not_purged", reason=as_domain_error(error).reason, archive=archive)
