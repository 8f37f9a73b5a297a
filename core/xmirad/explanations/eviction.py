"""Keeps the occlusion cache within its budget: whole entries go, longest unused first."""

import logging
import time
from collections.abc import Callable
from functools import partial

from xmirad.catalog import occlusion
from xmirad.catalog.database import Database
from xmirad.explanations.forgetting import Forgetter

_log = logging.getLogger(__name__)


class Evictor:
    """Deletes entries of items; those of queries go with their queries."""

    def __init__(
        self, database: Database, forgetter: Forgetter, *, budget_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        """Allow a cache so many bytes."""
        self._database = database
        self._forgetter = forgetter
        self._budget = budget_bytes
        self._clock = clock

    def evict(self) -> int:
        """Delete entries until the rest fits, none that an explanation waits for; return how many.

        Raises:
            BackendUnavailableError: If the catalog or the blob store cannot be used.
        """
        excess = self._database.read(occlusion.sums)[0] - self._budget
        evicted = 0
        while excess > 0:
            freed = 0
            for location in self._database.read(occlusion.least_recently_used):
                bytes_freed = self._database.write(partial(occlusion.evict, location=location, now=self._clock()))
                freed += bytes_freed
                evicted += bool(bytes_freed)
                if freed >= excess:
                    break
            if not freed:
                break
            excess -= freed
        if evicted:
            self._forgetter.purger.purge_all()
            _log.info("cache.evicted")
        return evicted
