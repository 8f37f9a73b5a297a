"""Fills the cache ahead of questions, behind every reader who waits."""

from collections.abc import Sequence
from dataclasses import dataclass

from xmirad.errors import InvalidRequestError
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import Board, QueueName, TaskQueue

WANTED_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class WarmingPlan:
    """What filling the cache for some items takes.

    Attributes:
        selected: How many entries were asked for.
        complete: How many of them are complete.
        missing_windows: How many windows are to be computed for the others.
        size_bytes: About how many bytes that adds.
        budget_bytes: How many bytes the cache may have.
    """

    selected: int
    complete: int
    missing_windows: int
    size_bytes: int
    budget_bytes: int


class Warmer:
    """Plans and starts warming."""

    def __init__(self, cache: OcclusionCache, *, board: Board, queue: TaskQueue, budget_bytes: int) -> None:
        """Fill a cache of so many bytes."""
        self._cache = cache
        self._board = board
        self._queue = queue
        self._budget = budget_bytes

    def plan(self, entries: Sequence[OcclusionEntry], *, embedding_size: int) -> WarmingPlan:
        """Say what it takes.

        Raises:
            BackendUnavailableError: If the blob store fails.
        """
        windows = [entry.lattice.windows - self._cache.windows_there(entry) for entry in entries]
        sizes = [
            entry.size_bytes(embedding_size) * missing // entry.lattice.windows
            for entry, missing in zip(entries, windows, strict=True)
        ]
        return WarmingPlan(len(entries), windows.count(0), sum(windows), sum(sizes), self._budget)

    def warm(self, entries: Sequence[OcclusionEntry], *, embedding_size: int) -> int:
        """Have what is missing computed in the background; return how many tasks were not waiting already.

        Raises:
            InvalidRequestError: If it would take more bytes than the cache may have.
            QueueFullError: If the queue has no room for all; what was queued before stays.
            BackendUnavailableError: If a store, the board or the queue fails.
        """
        needed = sum(entry.size_bytes(embedding_size) for entry in entries)
        if needed > self._budget:
            limits = {"value": str(needed), "highest": str(self._budget)}
            message = f"the selected items take {needed} bytes of cache; at most {self._budget} are allowed"
            raise InvalidRequestError(message, field="max_items", metadata=limits)
        queued = 0
        for entry in entries:
            missing = self._cache.missing(entry)
            if missing:
                self._board.keep_filling(entry.location, seconds=WANTED_SECONDS)
                queued += self._queue.fill(entry, missing, queue=QueueName.BACKGROUND)
        return queued
