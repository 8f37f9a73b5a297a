"""Fills the cache ahead of questions, behind every reader who waits.

What is asked for lies in the blob store, and is fed to the queue a little at a time: by whoever asks, by workers as
they empty it, and by the sweeper, so that it goes on whatever the queue loses.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from xmirad.errors import InvalidRequestError, QueueFullError
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import Board, QueueName, TaskQueue
from xmirad.explanations.warm_requests import WarmRequests

WANTED_SECONDS = 7 * 86_400.0
FED_TASKS = 600
"""The background is filled up to so many tasks when fewer than half of them wait."""
MOST_ENTRIES = 200
"""At most so many entries are looked at each time; a worker has not long for it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WarmingPlan:
    """What filling the cache for some items takes.

    Attributes:
        selected: How many entries were asked for.
        complete: How many of them are complete.
        missing_windows: How many windows are to be computed for the others.
        size_bytes: About how many bytes that adds.
        budget_bytes: How many bytes the cache may have.
        given_up: How many were asked for before and could not be computed.
    """

    selected: int
    complete: int
    missing_windows: int
    size_bytes: int
    budget_bytes: int
    given_up: int


class Warmer:
    """Plans warming, begins with it, goes on with it and ends it."""

    def __init__(
        self, cache: OcclusionCache, requests: WarmRequests, *, board: Board, queue: TaskQueue, budget_bytes: int
    ) -> None:
        """Fill a cache of so many bytes with what is asked for."""
        self._cache = cache
        self._requests = requests
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
        unfinished = [entry for entry, missing in zip(entries, windows, strict=True) if missing]
        given_up = sum(map(self._requests.is_given_up, unfinished))
        return WarmingPlan(len(entries), windows.count(0), sum(windows), sum(sizes), self._budget, given_up)

    def warm(self, entries: Sequence[OcclusionEntry], *, embedding_size: int) -> int:
        """Have what is missing computed in the background; what was given up is tried again.

        Returns:
            How many tasks that takes which were not asked for already.

        Raises:
            InvalidRequestError: If it would take more bytes than the cache may have.
            BackendUnavailableError: If a store, the board or the queue fails.
        """
        needed = sum(entry.size_bytes(embedding_size) for entry in entries)
        if needed > self._budget:
            limits = {"value": str(needed), "highest": str(self._budget)}
            message = f"the selected items take {needed} bytes of cache; at most {self._budget} are allowed"
            raise InvalidRequestError(message, field="max_items", metadata=limits)
        self._queue.waiting(QueueName.BACKGROUND)  # without a queue nothing is taken on
        tasks = 0
        for entry in entries:
            missing = self._cache.missing(entry)
            if missing and self._requests.add(entry):
                tasks += len(missing)
        self.feed()
        return tasks

    def feed(self, limit: int = FED_TASKS) -> int:
        """Queue some of what is asked for, if the background runs empty; return how many tasks.

        Raises:
            BackendUnavailableError: If a store, the board or the queue fails.
        """
        room = limit - self._queue.waiting(QueueName.BACKGROUND)
        queued = 0
        if room <= limit // 2:
            return queued
        for entry in islice(self._requests.pending(), MOST_ENTRIES):
            missing = self._cache.missing(entry)
            if not missing:
                self._requests.remove(entry)
                continue
            self._board.keep_filling(entry.location, seconds=WANTED_SECONDS)
            try:
                queued += self._queue.fill(entry, missing[: room - queued], queue=QueueName.BACKGROUND)
            except QueueFullError as error:
                _log.info("warming.waits_for_room", extra={"reason": error.reason})
                break
            if queued >= room:
                break
        return queued

    def give_up(self, entry: OcclusionEntry, reason: str) -> None:
        """Say that an entry cannot be computed, if it was to be: what waits stops, and it is not queued again.

        Raises:
            BackendUnavailableError: If the blob store or the board fails.
        """
        self._requests.give_up(entry, reason)
        self._board.stop_filling(entry.location)

    def cancel(self, entries: Sequence[OcclusionEntry]) -> int:
        """Compute nothing ahead for these any more; what is there stays. Return for how many it was to be.

        Raises:
            BackendUnavailableError: If the blob store or the board fails.
        """
        cancelled = 0
        for entry in entries:
            if self._requests.remove(entry):
                self._board.stop_filling(entry.location)
                cancelled += 1
        return cancelled
