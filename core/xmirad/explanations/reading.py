"""Reading masked embeddings for maps: from the cache each time, or once for many maps of one image."""

from typing import Protocol

from xmirad.explanations.entries import OcclusionEntry
from xmirad.saliency.codec import CodedDifferences


class MaskedReader(Protocol):
    """Where maps get masked embeddings from."""

    def complete_windows(self, entry: OcclusionEntry) -> int:
        """Return how many windows the levels have that are complete, 0 if not even the first is."""
        ...

    def load(self, entry: OcclusionEntry, windows: int) -> CodedDifferences | None:
        """Return the masked embeddings of the first windows of the walk, up to the end of a chunk.

        Returns:
            None if one is missing or was found corrupt, in which case it is gone and can be computed again.
        """
        ...


class ReadOnce:
    """A cache entry as it was at one moment, read once however many maps are made of it; all others as they are.

    Safe to use from many threads.
    """

    def __init__(
        self, behind: MaskedReader, entry: OcclusionEntry, windows: int, coded: CodedDifferences | None
    ) -> None:
        """Keep what was read of an entry.

        Args:
            behind: Reads all other entries.
            entry: What was read.
            windows: How many windows of it were complete.
            coded: Their masked embeddings, or None if a chunk was found corrupt.
        """
        self._behind = behind
        self._location = entry.location
        self._windows = windows
        self._coded = coded

    def complete_windows(self, entry: OcclusionEntry) -> int:
        """Return how many windows are complete; those of the entry also if a chunk was found corrupt just now."""
        return self._windows if entry.location == self._location else self._behind.complete_windows(entry)

    def load(self, entry: OcclusionEntry, windows: int) -> CodedDifferences | None:
        """Return masked embeddings, or None; see `MaskedReader.load`."""
        if (entry.location, windows) == (self._location, self._windows):
            return self._coded
        return self._behind.load(entry, windows)
