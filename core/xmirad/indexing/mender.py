"""Mends the vector store from the catalog: what is missing, damaged, old or restored is found and made again.

Every archive is compared once a process begins to write to the store, and once a day, by ids and revisions, and what
differs is marked; applying the marks is all that mending takes. An index that cannot be opened, or is asked for anew,
is made empty first:
then everything differs.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from functools import partial

from xmirad.archive.port import Archive
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.indexes import Indexes
from xmirad.catalog.marks import Marks
from xmirad.catalog.records import ArchiveRecord, IndexState
from xmirad.errors import ArchiveRebuildingError, XmiradError
from xmirad.indexing.applier import Applier
from xmirad.indexing.comparison import PAGE, Page, compare_range
from xmirad.indexing.runner import Lanes
from xmirad.lanes import Priority

COMPARE_SECONDS = 86_400.0
LOOK_SECONDS = 1.0
"""How often to look for indexes that are to be made anew."""
FEW_DIFFERENCES = 64
"""So many are mended in a moment; of an index that differs in more, searches are told."""
MOST_WAITING = 512
"""So many marks may wait before more are set, so that uploads do not wait behind them."""
DRAIN_SECONDS = 0.02
LAST_SECONDS = 30.0
"""So long an index is waited for in which uploads always leave some marks."""
REPLICA_SECONDS = 1.2
"""A replica uses what it knows of an archive for a second."""
InStore = Callable[[ArchiveRecord], Awaitable[Archive]]
_log = logging.getLogger(__name__)


class Mender:
    """Mends one archive after the other. Belongs to one event loop."""

    def __init__(
        self,
        catalog: Catalog,
        lanes: Lanes,
        applier: Applier,
        *,
        open_in_store: InStore,
        reset_in_store: InStore,
        is_optimized: bool,
    ) -> None:
        """Mend the archives of a catalog, in the process in which `applier` applies marks.

        Args:
            catalog: The truth.
            lanes: Of the process.
            applier: Says whether this process may write.
            open_in_store: Returns an archive's part in the vector store; raises `ArchiveRebuildingError` if that is
                not there or damaged, having asked for it to be made anew.
            reset_in_store: Makes it anew, empty, and returns it.
            is_optimized: Whether an archive that was made anew is to be optimized then: see `optimizing.py`.
        """
        self._catalog = catalog
        self._lanes = lanes
        self._applier = applier
        self._open_in_store = open_in_store
        self._reset_in_store = reset_in_store
        self._is_optimized = is_optimized
        self._indexes = Indexes(catalog.database)
        self._marks = Marks(catalog.database)
        self._compared: dict[str, float] = {}

    async def keep_up(self) -> None:
        """Mend until cancelled."""
        while True:
            try:
                if self._applier.may_write:
                    await self._round()
                else:
                    self._compared.clear()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may find it gone
                reason = error.reason if isinstance(error, XmiradError) else type(error).__name__
                _log.warning("index.not_mended", extra={"reason": reason})
            await asyncio.sleep(LOOK_SECONDS)

    async def _round(self) -> None:
        blobs = self._lanes.blobs
        unfinished = set(await blobs.run(Priority.BACKGROUND, self._indexes.unfinished))
        records = await blobs.run(Priority.BACKGROUND, self._catalog.archives)
        of_today = time.monotonic() - COMPARE_SECONDS
        present = {record.creation for record in records}
        self._compared = {each: at for each, at in self._compared.items() if each in present and at > of_today}
        for record in records:
            if record.creation in self._compared and record.creation not in unfinished:
                continue
            try:
                await self._mend(record)
            except ArchiveRebuildingError:  # it was asked for anew
                continue
            except XmiradError as error:
                _log.warning("index.not_mended", extra={"archive": record.archive, "reason": error.reason})

    async def _mend(self, record: ArchiveRecord) -> None:
        blobs, indexes = self._lanes.blobs, self._indexes
        progress = await blobs.run(Priority.BACKGROUND, indexes.progress, record)
        is_building = not progress.state.is_whole
        if progress.state is IndexState.REQUESTED:
            if self._applier.is_shared:  # until every replica has seen it, and searches no more
                await asyncio.sleep(REPLICA_SECONDS)
            archive = await self._reset_in_store(record)
        else:
            archive = await self._open_in_store(record)
        if is_building:
            await self._begin(record)
        is_building |= await self._compare(record, archive, is_building=is_building)
        if is_building:
            await self._drain(record, at_most=0, seconds=LAST_SECONDS)
            await self._lanes.store.run(Priority.BACKGROUND, archive.flush)
            finish = partial(indexes.finish, record, to_optimize=self._is_optimized)
            await blobs.run(Priority.BACKGROUND, finish)
            _log.info("index.mended", extra={"archive": record.archive})
        self._compared[record.creation] = time.monotonic()

    async def _begin(self, record: ArchiveRecord) -> None:
        total = await self._lanes.blobs.run(Priority.BACKGROUND, self._catalog.count_items, record)
        await self._lanes.blobs.run(Priority.BACKGROUND, lambda: self._indexes.begin(record, total=total))
        _log.info("index.mending", extra={"archive": record.archive, "items": total})

    async def _compare(self, record: ArchiveRecord, archive: Archive, *, is_building: bool) -> bool:
        """Mark what differs; return whether that was so much that searches were told."""
        blobs, found, done, after = self._lanes.blobs, 0, 0, ""

        async def recorded(position: str) -> Page:
            read = lambda: self._catalog.revisions(record, after=position, limit=PAGE)  # noqa: E731
            return await blobs.run(Priority.BACKGROUND, read)

        async def stored(position: str) -> Page:
            read = lambda: archive.revisions(after=position or None, limit=PAGE)  # noqa: E731
            return await self._lanes.store.run(Priority.BACKGROUND, read)

        while True:
            difference = await compare_range(after, recorded=recorded, stored=stored)
            if difference.different:
                await blobs.run(Priority.BACKGROUND, self._marks.mark, record, difference.different)
                self._applier.wake()
            found, done, after = found + len(difference.different), done + difference.items, difference.after
            if found > FEW_DIFFERENCES and not is_building:
                is_building = True
                await self._begin(record)
            await self._drain(record, at_most=MOST_WAITING)
            if is_building:
                advanced = done
                await blobs.run(Priority.BACKGROUND, lambda d=advanced: self._indexes.advance(record, done=d))
            if not after:
                return is_building

    async def _drain(self, record: ArchiveRecord, *, at_most: int, seconds: float = math.inf) -> None:
        """Wait until no more than so many marks are pending, but not longer than some time."""
        deadline = time.monotonic() + seconds
        while self._applier.may_write and time.monotonic() < deadline:
            count = lambda: self._marks.count_pending(record, at_most=at_most + 1)  # noqa: E731
            if await self._lanes.blobs.run(Priority.BACKGROUND, count) <= at_most:
                return
            await asyncio.sleep(DRAIN_SECONDS)
