"""The occlusion cache: masked embeddings of images, filled chunk by chunk by all workers, read by all maps.

The catalog knows which chunks are there, the blob store holds them. Chunks are written once: who comes second finds the
first. A complete entry is put together into one blob, which a map reads at once. What does not read as it was written
counts as absent and is computed again.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.catalog import occlusion
from xmirad.catalog.database import Database
from xmirad.catalog.occlusion import EntryRow, NewEntry
from xmirad.errors import BackendUnavailableError, EmbeddingCorruptError
from xmirad.explanations.chunk_format import pack, unpack
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import Board
from xmirad.saliency.codec import CodedDifferences, joined

WHOLE = "whole"
_log = logging.getLogger(__name__)


class OcclusionCache:
    """Masked embeddings in a blob store. Safe to use from many threads and processes.

    Every method raises `BackendUnavailableError` if the catalog or the blob store cannot be used.
    """

    def __init__(
        self, database: Database, blobs: BlobStore, board: Board, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep records in a catalog's database, and chunks in a blob store; a board counts what happens."""
        self._database = database
        self._blobs = blobs
        self._board = board
        self._clock = clock

    def open(self, entry: OcclusionEntry) -> None:
        """Make an entry unless it is there.

        Raises:
            ItemNotFoundError: If its image is gone.
        """
        document = json.dumps(entry.to_document())
        self.open_new(NewEntry(entry.location, entry.image, entry.is_query, document))

    def open_new(self, entry: NewEntry) -> None:
        """Make anything that goes and is evicted as an entry does, unless it is there.

        Raises:
            ItemNotFoundError: If its image is gone.
        """
        self._database.write(partial(occlusion.open_entry, entry=entry, now=self._clock()))

    def exists(self, location: str) -> bool:
        """Return whether an entry is there, filled or not."""
        return self._found(location) is not None

    def missing(self, entry: OcclusionEntry) -> tuple[int, ...]:
        """Return the numbers of the chunks that are not there, in order."""
        there = self._found(entry.location)
        if there is not None and there.is_whole:
            return ()
        chunks = there.chunks if there is not None else frozenset()
        return tuple(number for number in range(len(entry.chunks)) if number not in chunks)

    def windows_there(self, entry: OcclusionEntry) -> int:
        """Return how many windows are evaluated."""
        gone = sum(len(entry.chunks[number]) for number in self.missing(entry))
        return entry.lattice.windows - gone

    def complete_windows(self, entry: OcclusionEntry) -> int:
        """Return how many windows the levels have that are complete, 0 if not even the first is."""
        first = next(iter(self.missing(entry)), None)
        if first is None:
            return entry.lattice.windows
        start = entry.chunks[first].start
        return max((level.windows for level in entry.levels if level.windows <= start), default=0)

    def has(self, entry: OcclusionEntry, number: int) -> bool:
        """Return whether a chunk is there."""
        return number not in self.missing(entry)

    def put(self, entry: OcclusionEntry, number: int, coded: CodedDifferences) -> bool:
        """Store a chunk, and leave nothing of it behind if the entry was deleted meanwhile.

        Returns:
            False if another worker was first, or the entry is gone.
        """
        data, key = pack(entry, _name(number), coded), entry.location + _name(number)
        self._blobs.put(key, data, if_absent=True)
        size = entry.size_bytes(coded.embedding_size)
        is_new = self._database.write(
            lambda connection: occlusion.add_chunk(connection, entry.location, number, size_bytes=size)
        )
        if is_new is None:
            self._blobs.delete(key)
        if is_new:
            self._note("cache_bytes_written", len(data))
        return bool(is_new)

    def load(self, entry: OcclusionEntry, windows: int) -> CodedDifferences | None:
        """Return the masked embeddings of the first windows of the walk, up to the end of a chunk.

        Returns:
            None if one is missing or was found corrupt, in which case it is gone and can be computed again.
        """
        coded = self.read(entry, windows)
        if coded is not None:
            self.tidy(entry, coded)
        return coded

    def read(self, entry: OcclusionEntry, windows: int) -> CodedDifferences | None:
        """Return what `load` does and leave everything else to `tidy`, so that a reader need not wait for it."""
        there = self._found(entry.location)
        if there is None:
            return None
        if there.is_whole:
            whole = self._whole(entry)
            return whole and CodedDifferences(whole.codec, whole.scales[:windows], whole.values[:windows])
        numbers = [number for number, chunk in enumerate(entry.chunks) if chunk.stop <= windows]
        if not there.chunks.issuperset(numbers):
            return None
        parts = [self._chunk(entry, number) for number in numbers]
        found = [part for part in parts if part is not None]
        if len(found) == len(parts):
            return joined(found)
        # Another process may have put the chunks together meanwhile.
        again = self._found(entry.location)
        whole = self._whole(entry) if again is not None and again.is_whole else None
        return whole and CodedDifferences(whole.codec, whole.scales[:windows], whole.values[:windows])

    def tidy(self, entry: OcclusionEntry, coded: CodedDifferences) -> None:
        """Put a complete entry together into one blob, and note that the entry was used.

        What was deleted since it was read stays deleted.
        """
        if coded.windows == entry.lattice.windows:
            self._put_together(entry, coded)
        if not entry.is_query:
            self._database.write(lambda connection: occlusion.note_use(connection, entry.location, now=self._clock()))

    def subscribe(self, entry: OcclusionEntry, explanation: str) -> None:
        """Note that an explanation waits for an entry, which is made unless it is there.

        Raises:
            ItemNotFoundError: If its image is gone.
        """
        self.open(entry)
        self._database.write(lambda connection: occlusion.subscribe(connection, entry.location, explanation))

    def subscribers(self, entry: OcclusionEntry) -> Sequence[str]:
        """Return the ids of the explanations that wait for an entry, in order."""
        return self._database.read(lambda connection: occlusion.subscribers(connection, entry.location))

    def unsubscribe(self, explanation: str) -> None:
        """Note that an explanation waits for nothing any more; tasks that nobody else waits for stop by themselves."""
        self._database.write(lambda connection: occlusion.unsubscribe(connection, explanation))

    def is_wanted(self, entry: OcclusionEntry) -> bool:
        """Return whether an explanation, or warming, waits for an entry."""
        return self._database.read(lambda connection: occlusion.is_wanted(connection, entry.location))

    def count_use(self, *, is_cached: bool) -> None:
        """Count that a map found its entry complete, or did not."""
        self._note("cache_hits" if is_cached else "cache_misses", 1)

    def sums(self) -> tuple[int, int]:
        """Return how many bytes the entries of items take, and how many entries there are."""
        return self._database.read(occlusion.sums)

    def _found(self, location: str) -> EntryRow | None:
        return self._database.read(lambda connection: occlusion.find_entry(connection, location))

    def _chunk(self, entry: OcclusionEntry, number: int) -> CodedDifferences | None:
        drop = partial(occlusion.drop_chunk, location=entry.location, chunk=number)
        return self._part(entry, _name(number), len(entry.chunks[number]), drop)

    def _whole(self, entry: OcclusionEntry) -> CodedDifferences | None:
        drop = partial(occlusion.drop_whole, location=entry.location)
        return self._part(entry, WHOLE, entry.lattice.windows, drop)

    def _part(
        self, entry: OcclusionEntry, name: str, windows: int, drop: Callable[..., None]
    ) -> CodedDifferences | None:
        """Return a part that the catalog knows of; what is not there or not as it was written is dropped.

        The blob goes before the row: whoever computes it again then finds no blob in its place.
        """
        try:
            return unpack(entry, name, self._blobs.get(entry.location + name), windows=windows)
        except BlobNotFoundError:
            there = self._found(entry.location)
            if there is None or (name != WHOLE and there.is_whole):
                return None
        except EmbeddingCorruptError:
            _log.warning("cache.chunk_corrupt")
            self._blobs.delete(entry.location + name)
            self._note("cache_corrupt_chunks", 1)
        self._database.write(drop)
        return None

    def _put_together(self, entry: OcclusionEntry, coded: CodedDifferences) -> None:
        """Make one blob of all chunks."""
        there = self._found(entry.location)
        if there is None or there.is_whole:
            return
        self._blobs.put(entry.location + WHOLE, pack(entry, WHOLE, coded))
        is_whole = self._database.write(
            lambda connection: occlusion.make_whole(connection, entry.location, chunks=len(entry.chunks))
        )
        if is_whole:
            for number in range(len(entry.chunks)):
                self._blobs.delete(entry.location + _name(number))
        elif not self.exists(entry.location):
            self._blobs.delete(entry.location + WHOLE)

    def _note(self, name: str, amount: int) -> None:
        try:
            self._board.count(name, amount)
        except BackendUnavailableError:
            _log.warning("cache.use_not_noted")


def _name(number: int) -> str:
    return f"{number:04d}"
