"""The occlusion cache: masked embeddings of images, filled chunk by chunk by all workers, read by all maps.

Chunks are written once: who comes second finds the first. A complete entry is put together into one blob, which a map
reads at once. What does not read as it was written counts as absent and is computed again.
"""

import logging
from collections.abc import Iterator

from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.errors import BackendUnavailableError, EmbeddingCorruptError
from xmirad.explanations.chunk_format import pack, unpack
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.images import has_input
from xmirad.explanations.ports import Board
from xmirad.saliency.codec import CodedDifferences, joined

WHOLE = "whole"
_log = logging.getLogger(__name__)


class OcclusionCache:
    """Masked embeddings in a blob store. Safe to use from many threads and processes."""

    def __init__(self, blobs: BlobStore, board: Board) -> None:
        """Keep chunks in a blob store, and note on a board when they are used."""
        self._blobs = blobs
        self._board = board

    def missing(self, entry: OcclusionEntry) -> tuple[int, ...]:
        """Return the numbers of the chunks that are not there, in order."""
        names = self._names(entry)
        if WHOLE in names:
            return ()
        return tuple(number for number in range(len(entry.chunks)) if _name(number) not in names)

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
        return self._blobs.exists(entry.location + _name(number)) or self._blobs.exists(entry.location + WHOLE)

    def put(self, entry: OcclusionEntry, number: int, coded: CodedDifferences) -> bool:
        """Store a chunk.

        Returns:
            False if another worker was first.
        """
        data = pack(entry, _name(number), coded)
        if not self._blobs.put(entry.location + _name(number), data, if_absent=True):
            return False
        self._note("cache_bytes_written", len(data))
        return True

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
        whole = self._part(entry, WHOLE, entry.lattice.windows)
        if whole is None:
            numbers = [number for number, chunk in enumerate(entry.chunks) if chunk.stop <= windows]
            parts = [self._part(entry, _name(number), len(entry.chunks[number])) for number in numbers]
            there = [part for part in parts if part is not None]
            if len(there) == len(parts):
                return joined(there)
            # Another process may have put the chunks together meanwhile.
            whole = self._part(entry, WHOLE, entry.lattice.windows)
        return whole and CodedDifferences(whole.codec, whole.scales[:windows], whole.values[:windows])

    def tidy(self, entry: OcclusionEntry, coded: CodedDifferences) -> None:
        """Put a complete entry together into one blob, and note that the entry was used and how large it is.

        What was deleted since it was read stays deleted.
        """
        is_complete = coded.windows == entry.lattice.windows
        if self._put_together(entry, coded) if is_complete else self._has_image(entry):
            self._touch(entry, coded.embedding_size)

    def delete(self, location: str) -> None:
        """Delete an entry, and forget it."""
        for key in list(self._blobs.list(location)):
            self._blobs.delete(key)
        self._board.forget(location)

    def locations(self) -> Iterator[str]:
        """Yield where the entries of items lie, by listing; slow."""
        last = ""
        for key in self._blobs.list("occlusion/"):
            location = "/".join(key.split("/")[:3]) + "/"
            if location != last:
                last = location
                yield location

    def exists(self, location: str) -> bool:
        """Return whether anything of an entry is there."""
        return next(iter(self._blobs.list(location)), None) is not None

    def is_orphan(self, location: str) -> bool:
        """Return whether an entry belongs to an item's image that is deleted."""
        image = location.split("/")[1]
        return not self.exists(f"inputs/{image}/")

    def stored_bytes(self, location: str) -> int:
        """Return how many bytes an entry takes, by reading it; slow."""
        return sum(len(self._blobs.get(key)) for key in list(self._blobs.list(location)))

    def count_use(self, *, is_cached: bool) -> None:
        """Count that a map found its entry complete, or did not."""
        self._note("cache_hits" if is_cached else "cache_misses", 1)

    def _names(self, entry: OcclusionEntry) -> set[str]:
        return {key.removeprefix(entry.location) for key in self._blobs.list(entry.location)}

    def _part(self, entry: OcclusionEntry, name: str, windows: int) -> CodedDifferences | None:
        try:
            data = self._blobs.get(entry.location + name)
        except BlobNotFoundError:
            return None
        try:
            return unpack(entry, name, data, windows=windows)
        except EmbeddingCorruptError:
            _log.warning("cache.chunk_corrupt")
            self._blobs.delete(entry.location + name)
            self._note("cache_corrupt_chunks", 1)
            return None

    def _put_together(self, entry: OcclusionEntry, coded: CodedDifferences) -> bool:
        """Make one blob of all chunks. Return whether the entry is there, False if it was deleted meanwhile."""
        if self._blobs.exists(entry.location + WHOLE):
            return True
        if self.missing(entry):
            return False
        self._blobs.put(entry.location + WHOLE, pack(entry, WHOLE, coded), if_absent=True)
        if not self._has_image(entry):  # its input is deleted before its entries, so nobody else would find the blob
            self.delete(entry.location)
            return False
        for number in range(len(entry.chunks)):
            self._blobs.delete(entry.location + _name(number))
        return True

    def _has_image(self, entry: OcclusionEntry) -> bool:
        return has_input(self._blobs, entry.image, entry.preprocessing, is_query=entry.is_query)

    def _touch(self, entry: OcclusionEntry, embedding_size: int) -> None:
        if entry.is_query:
            return
        try:
            self._board.touch(entry.location, size_bytes=entry.size_bytes(embedding_size))
        except BackendUnavailableError:
            _log.warning("cache.use_not_noted")

    def _note(self, name: str, amount: int) -> None:
        try:
            self._board.count(name, amount)
        except BackendUnavailableError:
            _log.warning("cache.use_not_noted")


def _name(number: int) -> str:
    return f"{number:04d}"
