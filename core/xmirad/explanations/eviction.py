"""Keeps the occlusion cache within its budget: whole entries go, longest unused first."""

import logging

from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.ports import Board

_log = logging.getLogger(__name__)


class Evictor:
    """Deletes entries of items; those of queries go with their queries."""

    def __init__(self, cache: OcclusionCache, board: Board, *, budget_bytes: int) -> None:
        """Allow a cache so many bytes."""
        self._cache = cache
        self._board = board
        self._budget = budget_bytes

    def reconcile(self) -> None:
        """Note what the board does not know of, and delete what belongs to no image any more, by listing; slow.

        Raises:
            BackendUnavailableError: If the blob store or the board fails.
        """
        known = {location for location, _ in self._board.least_recently_used()}
        for location in self._cache.locations():
            if self._cache.is_orphan(location):
                self._cache.delete(location)
            elif location not in known:
                self._board.touch(location, size_bytes=self._cache.stored_bytes(location))

    def evict(self) -> int:
        """Delete entries until the rest fits, none that an explanation waits for; return how many.

        Raises:
            BackendUnavailableError: If the blob store or the board fails.
        """
        if not self._board.least_recently_used():  # lost, or never kept
            self.reconcile()
        entries = self._board.least_recently_used()
        excess = sum(size for _, size in entries) - self._budget
        evicted = 0
        for location, size in entries:
            if excess > 0 and not self._cache.exists(location):  # deleted with its image
                self._board.forget(location)
                excess -= size
        for location, size in entries:
            if excess <= 0:
                break
            if self._board.subscribers(location) or not self._cache.exists(location):
                continue
            self._cache.delete(location)
            excess -= size
            evicted += 1
        if evicted:
            _log.info("cache.evicted")
        return evicted
