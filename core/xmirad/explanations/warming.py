"""Fills the cache ahead of questions, behind every reader who waits.

What is asked for is noted in the catalog, and is fed to the queue a little at a time: by whoever asks, by workers as
they empty it, and by the sweeper, so that it goes on whatever the queue loses.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from xmirad.catalog import occlusion
from xmirad.catalog.database import Database
from xmirad.catalog.explanation_tables import WANTED
from xmirad.errors import InvalidRequestError, ItemNotFoundError, QueueFullError
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName, TaskQueue

UNREADABLE = "UNREADABLE"
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

    def __init__(self, database: Database, cache: OcclusionCache, *, queue: TaskQueue, budget_bytes: int) -> None:
        """Fill a cache of so many bytes with what is asked for."""
        self._database = database
        self._cache = cache
        self._queue = queue
        self._budget = budget_bytes

    def plan(self, entries: Sequence[OcclusionEntry], *, embedding_size: int) -> WarmingPlan:
        """Say what it takes.

        Raises:
            BackendUnavailableError: If the catalog fails.
        """
        windows = [entry.lattice.windows - self._cache.windows_there(entry) for entry in entries]
        sizes = [
            entry.size_bytes(embedding_size) * missing // entry.lattice.windows
            for entry, missing in zip(entries, windows, strict=True)
        ]
        unfinished = [entry for entry, missing in zip(entries, windows, strict=True) if missing]
        given_up = sum(map(self._is_given_up, unfinished))
        return WarmingPlan(len(entries), windows.count(0), sum(windows), sum(sizes), self._budget, given_up)

    def warm(self, entries: Sequence[OcclusionEntry], *, embedding_size: int) -> int:
        """Have what is missing computed in the background; what was given up is tried again.

        Returns:
            How many tasks that takes which were not asked for already.

        Raises:
            InvalidRequestError: If it would take more bytes than the cache may have.
            BackendUnavailableError: If the catalog or the queue fails.
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
            if missing and self.want(entry):
                tasks += len(missing)
        self.feed()
        return tasks

    def feed(self, limit: int = FED_TASKS) -> int:
        """Queue some of what is asked for, if the background runs empty; return how many tasks.

        Raises:
            BackendUnavailableError: If the catalog or the queue fails.
        """
        room = limit - self._queue.waiting(QueueName.BACKGROUND)
        queued = 0
        if room <= limit // 2:
            return queued
        for entry in islice(self._pending(), MOST_ENTRIES):
            missing = self._cache.missing(entry)
            if not missing:
                self._set(entry.location, None)
                continue
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
            BackendUnavailableError: If the catalog fails.
        """
        self._set(entry.location, reason, only=[WANTED])

    def cancel(self, entries: Sequence[OcclusionEntry]) -> int:
        """Compute nothing ahead for these any more; what is there stays. Return for how many it was to be.

        Raises:
            BackendUnavailableError: If the catalog fails.
        """
        return sum([self._set(entry.location, None) for entry in entries])

    def want(self, entry: OcclusionEntry) -> bool:
        """Note that an entry is to be computed ahead; return False if it is to be already, or its image is gone."""
        try:
            self._cache.open(entry)
        except ItemNotFoundError:
            return False
        return self._set(entry.location, WANTED)

    def _is_given_up(self, entry: OcclusionEntry) -> bool:
        said = self._database.read(lambda connection: occlusion.warming_of(connection, entry.location))
        return said not in (None, WANTED)

    def _pending(self) -> Iterator[OcclusionEntry]:
        after = ""
        while page := self._database.read(partial(occlusion.page_of_warming, after=after)):
            for location, document in page:
                try:
                    yield OcclusionEntry.from_document(json.loads(document))
                except (KeyError, TypeError, ValueError):
                    _log.warning("warming.entry_unreadable", exc_info=True)
                    self._set(location, UNREADABLE)
            after = page[-1][0]

    def _set(self, location: str, value: str | None, *, only: Sequence[str] | None = None) -> bool:
        return self._database.write(lambda connection: occlusion.set_warming(connection, location, value, only=only))
