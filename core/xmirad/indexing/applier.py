"""Lets the vector store follow the catalog: writes the current state of marked items into it, in small batches.

One process of all does it at a time: that which holds the folder of an embedded store, or the lease of a server's.
Marks come from every process that writes to the catalog, so that those of other processes are looked for as well.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from xmirad.archive.port import Archive, StoredItem, is_damage
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.leases import Lease, Leases
from xmirad.catalog.marks import Change, Marks
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import stored_item
from xmirad.errors import ArchiveRebuildingError, BackendUnavailableError, EmbeddingCorruptError, XmiradError
from xmirad.failpoints import Failpoint, FailpointName
from xmirad.indexing.runner import Applied, Lanes
from xmirad.lanes import Priority
from xmirad.types import Float32Array, UInt8Array

LARGEST_BATCH = 64
POLL_SECONDS = 0.1
"""How often to look for marks of other processes."""
WAIT_SECONDS = 2.0
"""How long an upload or a deletion waits for the vector store to follow."""
PAUSE_SECONDS = 1.0
"""How long an archive is left alone whose store failed."""
FLUSH_SECONDS = 5.0
"""How often what an embedded store acknowledged is written to disk; it freezes the store for 30 ms."""
SERVER_DURABLE_SECONDS = 60.0
"""So long after it was acknowledged a write to a server is taken to outlive a loss of power."""
LEASE = "index"
LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0
OpenInStore = Callable[[ArchiveRecord], Awaitable[Archive]]
OnDamage = Callable[[ArchiveRecord], Awaitable[None]]
EmbedAgain = Callable[[ArchiveRecord, UInt8Array], Float32Array]
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Watch:
    """What was applied to an item since somebody began to look."""

    tickets: set[int] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Following:
    """What is known of an archive's part in the vector store since this process began to write to it."""

    record: ArchiveRecord
    is_flushed: bool = True
    last_write: float = 0.0
    last_flush: float = 0.0


class Applier:
    """Applies marks. Belongs to one event loop."""

    def __init__(
        self,
        catalog: Catalog,
        images: ImageBlobs,
        lanes: Lanes,
        *,
        open_in_store: OpenInStore,
        on_damage: OnDamage,
        embed: EmbedAgain,
        holder: str,
        is_shared: bool,
        failpoint: Failpoint,
    ) -> None:
        """Apply the marks of all archives.

        Args:
            catalog: Where the marks are.
            images: Model inputs, from which embeddings that are lost are computed again.
            lanes: Of the process.
            open_in_store: Returns an archive's part in the vector store.
            on_damage: Told of an archive whose part in it is of no use any more.
            embed: Maps model inputs, uint8 `[N, S, S, 3]`, to embeddings of an archive's model.
            holder: Random id of this process.
            is_shared: Whether other processes may write to the vector store, so that it takes a lease.
            failpoint: Where to die.
        """
        self._catalog = catalog
        self._marks = Marks(catalog.database)
        self._images = images
        self._lanes = lanes
        self._open_in_store = open_in_store
        self._on_damage = on_damage
        self._embed = embed
        self._holder = holder
        self.is_shared = is_shared
        self._failpoint = failpoint
        self._leases = Leases(catalog.database)
        self._lease: Lease | None = None
        self._renewed = float("-inf")
        self._following: dict[str, _Following] = {}
        self._is_begun = False
        self._paused: dict[str, float] = {}
        self._watches: dict[tuple[str, str], list[Watch]] = {}
        self._noted: dict[str, set[str]] = {}
        self.writing = asyncio.Lock()
        """Held while marks are applied: whoever holds it knows that nobody writes to the vector store."""
        self._stale: deque[tuple[ArchiveRecord, Collection[str]]] = deque()
        self._work = asyncio.Event()

    @property
    def may_write(self) -> bool:
        """Whether this process is the one that writes to the vector store."""
        return not self.is_shared or self._lease is not None

    def wake(self) -> None:
        """Look for marks at once."""
        self._work.set()

    def note_stale(self, record: ArchiveRecord, items: Collection[str]) -> None:
        """Mark items of which the vector store was found to say what is not so; may be called from any thread."""
        self._stale.append((record, items))

    @contextmanager
    def following(self, record: ArchiveRecord, item: str) -> Iterator[Applied]:
        """Look at an item from before it is marked until the vector store has followed: see `runner.Following`."""
        key, watch = (record.creation, item), Watch()
        self._watches.setdefault(key, []).append(watch)
        try:
            yield partial(self._is_applied, watch, record, item)
        finally:
            self._watches[key].remove(watch)
            if not self._watches[key]:
                del self._watches[key]

    @contextmanager
    def noting(self, record: ArchiveRecord) -> Iterator[set[str]]:
        """Yield a set to which the ids of the archive's items are added that are written to the vector store."""
        self._noted[record.creation] = set()
        try:
            yield self._noted[record.creation]
        finally:
            del self._noted[record.creation]

    async def _is_applied(self, watch: Watch, record: ArchiveRecord, item: str, ticket: int | None) -> bool:
        if ticket is None:
            return await self.has_followed(record, [item])
        self.wake()
        deadline = time.monotonic() + WAIT_SECONDS
        while ticket not in watch.tickets and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(watch.changed.wait(), min(left, POLL_SECONDS))
                watch.changed.clear()
            except TimeoutError:  # another process may have applied it
                if not await self._are_pending(record, [item]):
                    return True
        return ticket in watch.tickets

    async def has_followed(self, record: ArchiveRecord, items: Collection[str]) -> bool:
        """Return whether the vector store describes items as the catalog does, after waiting two seconds at most."""
        return await self._ends(lambda: self._are_pending(record, items))

    async def has_caught_up(self, record: ArchiveRecord) -> bool:
        """Return whether it describes all items of an archive so, after waiting two seconds at most."""

        async def is_behind() -> bool:
            count = partial(self._marks.count_pending, record, at_most=1)
            return bool(await self._lanes.blobs.run(Priority.INTERACTIVE, count))

        return await self._ends(is_behind)

    async def _ends(self, is_behind: Callable[[], Awaitable[bool]]) -> bool:
        deadline, pause = time.monotonic() + WAIT_SECONDS, 0.005
        while await is_behind():
            if time.monotonic() > deadline:
                return False
            self.wake()
            await asyncio.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS)
        return True

    async def keep_up(self) -> None:
        """Apply marks until cancelled."""
        while True:
            self._work.clear()
            try:
                await self._claim()
                is_busy = self.may_write and await self._round()
            except Exception as error:  # noqa: BLE001 - whatever it is, uploads must not wait for ever
                reason = error.reason if isinstance(error, XmiradError) else type(error).__name__
                _log.warning("index.not_followed", extra={"reason": reason})
                is_busy = False
                await asyncio.sleep(PAUSE_SECONDS)
            if not is_busy:
                try:
                    await asyncio.wait_for(self._work.wait(), POLL_SECONDS)
                except TimeoutError:
                    continue

    async def _are_pending(self, record: ArchiveRecord, items: Collection[str]) -> bool:
        return await self._lanes.blobs.run(Priority.INTERACTIVE, self._marks.are_pending, record, items)

    async def _claim(self) -> None:
        """Take or renew the lease, where there is one."""
        if not self.is_shared:
            return
        if time.monotonic() - self._renewed >= RENEW_SECONDS:
            self._renewed = time.monotonic()
            claim = lambda: self._leases.claim(LEASE, self._holder, seconds=LEASE_SECONDS)  # noqa: E731
            lease = await self._lanes.blobs.run(Priority.BACKGROUND, claim)
            if lease is not None:
                if lease != self._lease:  # what the last holder had acknowledged may be lost
                    self._following.clear()
                    self._is_begun = False
                await self._lanes.blobs.run(Priority.BACKGROUND, self._marks.recall_claims, lease)
            self._lease = lease

    async def _round(self) -> bool:
        """Apply a batch of every archive that has marks; return whether there was anything."""
        while self._stale:
            await self._lanes.blobs.run(Priority.BACKGROUND, self._marks.mark, *self._stale.popleft())
        if not self._is_begun:
            await self._begin()
        creations = await self._lanes.blobs.run(Priority.BACKGROUND, self._marks.creations_with_changes)
        is_busy = False
        for creation in creations:
            if self._paused.get(creation, 0.0) > time.monotonic():
                continue
            following = await self._follow(creation)
            if following is not None:
                async with self.writing:
                    is_busy |= await self._apply_next(following)
        for following in list(self._following.values()):
            try:
                await self._flush(following)
            except XmiradError as error:  # it was deleted, or its store fails: its marks stay until it is begun again
                _log.info("index.not_flushed", extra={"archive": following.record.archive, "reason": error.reason})
                del self._following[following.record.creation]
        return is_busy

    async def _follow(self, creation: str) -> _Following | None:
        """Return what is known of an archive, or None if it was deleted meanwhile."""
        if creation not in self._following:
            await self._begin()
        return self._following.get(creation)

    async def _begin(self) -> None:
        """Begin to follow the archives that are new here; what a store acknowledged before is applied again."""
        records = await self._lanes.blobs.run(Priority.BACKGROUND, self._catalog.archives)
        for record in records:
            if record.creation not in self._following:
                await self._lanes.blobs.run(Priority.BACKGROUND, self._marks.reopen, record)
                self._following[record.creation] = _Following(record)
        for gone in self._following.keys() - {record.creation for record in records}:
            del self._following[gone]
        self._is_begun = True

    async def _apply_next(self, following: _Following) -> bool:
        record = following.record
        try:
            return await self._apply(following)
        except XmiradError as error:
            if is_damage(error):
                await self._on_damage(record)
            elif not isinstance(error, ArchiveRebuildingError):
                _log.warning("index.not_followed", extra={"archive": record.archive, "reason": error.reason})
            self._paused[record.creation] = time.monotonic() + PAUSE_SECONDS
            if isinstance(error, BackendUnavailableError):  # a server that was restarted may have lost its last writes
                self._following.pop(record.creation, None)
            return False

    async def _apply(self, following: _Following) -> bool:
        record, lanes = following.record, self._lanes
        read = lambda: self._marks.changes(record, limit=LARGEST_BATCH)  # noqa: E731
        changes = await lanes.blobs.run(Priority.BACKGROUND, read)
        if not changes:
            return False
        archive = await self._open_in_store(record)
        items = [item for change in changes if (item := await self._described(record, change)) is not None]
        gone = [change.item for change in changes if change.record is None and change.is_readable]
        lease = self._lease
        if lease is not None and not await lanes.blobs.run(
            Priority.BACKGROUND, self._marks.claim, record, [change.item for change in changes], lease
        ):
            self._lease = None
            return False
        if record.creation in self._noted:  # before, for a failing store may have written some of them
            self._noted[record.creation].update(change.item for change in changes)
        await lanes.store.run(Priority.BACKGROUND, write_items, archive, items, gone)
        following.is_flushed, following.last_write = False, time.monotonic()
        for _ in changes:
            self._failpoint.reach(FailpointName.AFTER_UPSERT)
        self._tell(record, changes)
        applied = [(change.item, change.ticket) for change in changes]
        await lanes.blobs.run(Priority.BACKGROUND, self._marks.settle, record, applied, lease)
        return True

    async def _described(self, record: ArchiveRecord, change: Change) -> StoredItem | None:
        """Return an item as the vector store is to hold it; None if it cannot, or is not to."""
        item, embedding = change.record, change.embedding
        if item is None:
            return None
        if embedding is None:
            embedding = await self._embed_again(record, change)
        return None if embedding is None else stored_item(item, record.site, embedding)

    async def _embed_again(self, record: ArchiveRecord, change: Change) -> Float32Array | None:
        item = change.record
        if item is None:
            return None
        try:
            pixels = await self._lanes.blobs.run(
                Priority.BACKGROUND, self._images.input, item.image, item.preprocessing
            )
        except EmbeddingCorruptError:
            pixels = None
        if pixels is None:
            _log.warning("index.item_lost", extra={"archive": record.archive, "item": item.item})
            return None
        rows = await self._lanes.model.run(Priority.BACKGROUND, self._embed, record, pixels[None])
        await self._lanes.blobs.run(Priority.BACKGROUND, self._catalog.put_embedding, record, item.item, rows[0])
        embedding: Float32Array = rows[0]
        return embedding

    def _tell(self, record: ArchiveRecord, changes: Sequence[Change]) -> None:
        for change in changes:
            for watch in self._watches.get((record.creation, change.item), ()):
                watch.tickets.add(change.ticket)
                watch.changed.set()

    async def _flush(self, following: _Following) -> None:
        """Make what was acknowledged durable, and forget its marks, once in a while."""
        if following.is_flushed or time.monotonic() - following.last_flush < FLUSH_SECONDS:
            return
        record, lanes, age_ms = following.record, self._lanes, 0
        following.last_flush = time.monotonic()
        if self.is_shared:
            age_ms = round(SERVER_DURABLE_SECONDS * 1_000)
            following.is_flushed = time.monotonic() - following.last_write > SERVER_DURABLE_SECONDS + FLUSH_SECONDS
        else:
            archive = await self._open_in_store(record)
            await lanes.store.run(Priority.BACKGROUND, archive.flush)
            following.is_flushed = True
        forget = lambda: self._marks.forget_applied(record, age_ms=age_ms)  # noqa: E731
        await lanes.blobs.run(Priority.BACKGROUND, forget)


def write_items(archive: Archive, items: Sequence[StoredItem], gone: Sequence[str]) -> None:
    """Have an archive hold some items, and not hold others."""
    if items:
        archive.upsert(items)
    if gone:
        archive.delete(gone)
