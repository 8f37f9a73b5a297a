"""Has the graphs or codes of filled archives made beside them, where the vector store does not make them by itself.

A child of the store's owner fills another archive from the catalog and optimizes it, which freezes the child and nobody
else. Meanwhile the owner notes which items it writes; it writes them again to the new archive, which then takes the
place of the one that was searched until then. Whatever is cut short begins anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial

from xmirad.archive.port import Archive, OptimizableArchive, StoredItem
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.indexes import Indexes
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import stored_item
from xmirad.errors import XmiradError
from xmirad.indexing.applier import LARGEST_BATCH, Applier, write_items
from xmirad.indexing.runner import Lanes
from xmirad.lanes import Priority
from xmirad.types import Float32Array

LOOK_SECONDS = 1.0
"""How often to look for archives that are to be optimized."""
PAUSE_SECONDS = 60.0
"""How long one is left alone whose optimizing has failed."""
PAGE = 500
MakeBeside = Callable[[ArchiveRecord], Awaitable[None]]
"""Returns when another archive, filled and optimized, lies beside one."""
InStore = Callable[[ArchiveRecord], Awaitable[Archive]]
_log = logging.getLogger(__name__)


class Optimizer:
    """Optimizes one archive after the other. Belongs to one event loop."""

    def __init__(
        self,
        catalog: Catalog,
        lanes: Lanes,
        applier: Applier,
        *,
        make_beside: MakeBeside,
        open_beside: InStore,
        take_beside: InStore,
    ) -> None:
        """Optimize the archives of a catalog, in the process in which `applier` applies marks.

        Args:
            catalog: The truth.
            lanes: Of the process.
            applier: Writes to the archives that are used meanwhile.
            make_beside: Has a child do what `fill_and_optimize` does.
            open_beside: Returns what the child has made.
            take_beside: Puts it in the place of the archive.
        """
        self._catalog = catalog
        self._lanes = lanes
        self._applier = applier
        self._make_beside = make_beside
        self._open_beside = open_beside
        self._take_beside = take_beside
        self._indexes = Indexes(catalog.database)

    async def keep_up(self) -> None:
        """Optimize until cancelled."""
        while True:
            pause = LOOK_SECONDS
            for record in await self._to_optimize():
                try:
                    await self._optimize(record)
                except Exception as error:  # noqa: BLE001 - searches go on without; it is tried again
                    reason = error.reason if isinstance(error, XmiradError) else type(error).__name__
                    _log.warning("index.not_optimized", extra={"archive": record.archive, "reason": reason})
                    pause = PAUSE_SECONDS
            await asyncio.sleep(pause)

    async def _to_optimize(self) -> list[ArchiveRecord]:
        try:
            creations = await self._lanes.blobs.run(Priority.BACKGROUND, self._indexes.to_optimize)
            records = await self._lanes.blobs.run(Priority.BACKGROUND, self._catalog.archives) if creations else []
        except XmiradError as error:
            _log.warning("index.not_optimized", extra={"reason": error.reason})
            return []
        return [record for record in records if record.creation in creations]

    async def _optimize(self, record: ArchiveRecord) -> None:
        _log.info("index.optimizing", extra={"archive": record.archive})
        with self._applier.noting(record) as written:
            await self._make_beside(record)
            archive = await self._open_beside(record)
            while len(written) > LARGEST_BATCH:
                await self._write_again(record, archive, written)
            async with self._applier.writing:
                while written:
                    await self._write_again(record, archive, written)
                await self._lanes.store.run(Priority.BACKGROUND, _finish, archive)
                await self._take_beside(record)
        await self._lanes.blobs.run(Priority.BACKGROUND, self._indexes.finish_optimizing, record)
        _log.info("index.optimized", extra={"archive": record.archive})

    async def _write_again(self, record: ArchiveRecord, archive: Archive, written: set[str]) -> None:
        some = [written.pop() for _ in range(min(len(written), LARGEST_BATCH))]
        read = partial(read_items, self._catalog, record, some)
        items, gone = await self._lanes.blobs.run(Priority.BACKGROUND, read)
        await self._lanes.store.run(Priority.BACKGROUND, write_items, archive, items, gone)


def fill_and_optimize(record: ArchiveRecord, archive: OptimizableArchive, catalog: Catalog) -> None:
    """Fill an empty archive with the items of the catalog, make its graph or codes, and close it.

    Raises:
        BackendUnavailableError: If catalog or store fail.
    """
    after = ""
    while page := catalog.revisions(record, after=after, limit=PAGE):
        for first in range(0, len(page), LARGEST_BATCH):
            items, _ = read_items(catalog, record, [item for item, _ in page[first : first + LARGEST_BATCH]])
            archive.upsert(items)
        after = page[-1][0]
    archive.optimize()
    _finish(archive)


def read_items(catalog: Catalog, record: ArchiveRecord, ids: Collection[str]) -> tuple[list[StoredItem], list[str]]:
    """Return items as the vector store is to hold them, and which of some it is not to hold."""
    found = catalog.find_items(record, list(ids))
    embeddings = catalog.embeddings(record, list(found))
    items = []
    for item, known in found.items():
        embedding: Float32Array | XmiradError | None = embeddings.get(item)
        if embedding is not None and not isinstance(embedding, XmiradError):
            items.append(stored_item(known, record.site, embedding))
    held = {stored.item for stored in items}
    return items, [item for item in ids if item not in held]


def _finish(archive: Archive) -> None:
    archive.flush()
    archive.close()
