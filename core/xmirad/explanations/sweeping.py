"""Finds what was left lying: unfinished explanations, expired ones, queries that nobody explains.

Whatever the queue and the board lose is found here, because the catalog holds the requests. What is settled is not
looked at: each part asks the catalog for what it has to do.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from xmirad.catalog import explanations as rows
from xmirad.catalog.database import Database
from xmirad.catalog.leases import Leases
from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, QueueFullError
from xmirad.explanations.creating import Creator
from xmirad.explanations.eviction import Evictor
from xmirad.explanations.forgetting import Forgetter
from xmirad.explanations.ports import Board, TaskQueue
from xmirad.explanations.store import ExplanationStore
from xmirad.explanations.warming import Warmer

LEASE = "sweeper"
LEASE_SWEEPS = 3.0
ABANDONED_SECONDS = 600.0
"""After so long a stored query without an explanation is taken for one whose creation failed."""
ASSESSED_SECONDS = 3_600.0
"""After so long a map that is not assessed stays so."""
NOT_ASSESSED = "OUT_OF_TIME"
MOST_UNAVAILABLE = 3
"""After so many explanations in a row that a store or the board failed for, the others wait for the next sweep."""
NOT_SWEPT = "explanations_not_swept"
"""Counter on the board."""
Each = TypeVar("Each")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept, in seconds.

    Attributes:
        explanations: A finished explanation, from its end.
        queries: A stored query, with its explanations.
        sweep: Time between two sweeps.
    """

    explanations: float
    queries: float
    sweep: float


class Sweeper:
    """Sweeps for all replicas: one at a time holds the lease."""

    def __init__(
        self,
        database: Database,
        store: ExplanationStore,
        creator: Creator,
        forgetter: Forgetter,
        evictor: Evictor,
        warmer: Warmer,
        *,
        board: Board,
        queue: TaskQueue,
        retention: Retention,
        holder: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Sweep as `holder`."""
        self._database = database
        self._leases = Leases(database)
        self._store = store
        self._creator = creator
        self._forgetter = forgetter
        self._evictor = evictor
        self._warmer = warmer
        self._board = board
        self._queue = queue
        self._retention = retention
        self._holder = holder
        self._clock = clock
        self._failed: frozenset[str] = frozenset()

    def sweep(self) -> bool:
        """Sweep once. Return False if another process does.

        An explanation that cannot be looked after is logged, counted and left; it stops neither the others nor what
        comes after them.

        Raises:
            BackendUnavailableError: If a store, the board or the queue fails; the next sweep goes on.
        """
        if self._leases.claim(LEASE, self._holder, seconds=LEASE_SWEEPS * self._retention.sweep) is None:
            return False
        parts = (self._look_after_unfinished, self._look_after_unassessed, self._evictor.evict, self.expire)
        failures = [_failure_of(part) for part in (*parts, self._warmer.feed)]
        for failure in filter(None, failures):
            raise failure
        return True

    def expire(self) -> None:
        """Delete what has expired, and nothing else: all that can be done, and must be, while there is no queue.

        May be done by several processes at once.

        Raises:
            BackendUnavailableError: If the catalog or the blob store fails.
        """
        now = self._clock()
        while expired := self._database.read(
            lambda connection: rows.finished_before(connection, now - self._retention.explanations)
        ):
            self._forgetter.delete_all(expired)
        while old := self._database.read(
            lambda connection: rows.old_queries(
                connection, stored_before=now - self._retention.queries, abandoned_before=now - ABANDONED_SECONDS
            )
        ):
            for digest in old:
                self._forgetter.delete_query(digest)
        self._forgetter.purger.purge_all()

    def _look_after_unfinished(self) -> None:
        # What failed last time comes last: however much of it there is, all others are looked after before.
        unfinished = sorted(self._store.unfinished(), key=self._failed.__contains__)
        failed = self._look_after(unfinished, self._start)
        self._failed = frozenset(failed)

    def _look_after_unassessed(self) -> None:
        self._look_after(list(self._store.unassessed()), self._have_assessed)

    def _look_after(self, found: Iterable[Each], work: Callable[[Each], None]) -> list[Each]:
        """Do work on each; return those that it failed for, after which the others have had their turn.

        Raises:
            BackendUnavailableError: If it failed for several in a row because a store or the queue did.
        """
        failed: list[Each] = []
        unavailable = 0
        try:
            for each in found:
                try:
                    work(each)
                    unavailable = 0
                except ExplanationNotFoundError:
                    unavailable = 0  # deleted meanwhile
                except Exception as error:  # whatever a stored document can bring about
                    _log.warning("explanation.not_swept", extra={"explanation": str(each)}, exc_info=True)
                    failed.append(each)
                    unavailable = unavailable + 1 if isinstance(error, BackendUnavailableError) else 0
                    if unavailable == MOST_UNAVAILABLE:
                        raise
        finally:
            self._count(len(failed))
        return failed

    def _start(self, explanation: str) -> None:
        try:
            asked = self._store.asked(explanation)
        except ExplanationNotFoundError:
            self._forgetter.delete_all([explanation])  # nobody can read it
            return
        try:
            self._creator.start(asked, queue=asked.queue)
        except QueueFullError as error:
            _log.warning("explanation.waits_for_room", extra={"reason": error.reason})

    def _have_assessed(self, found: tuple[str, int, float]) -> None:
        explanation, attempt, finish_time = found
        if self._clock() < finish_time + ASSESSED_SECONDS:
            self._queue.assess(explanation, attempt=attempt)
        else:
            self._store.put_no_fidelity(self._store.asked(explanation), NOT_ASSESSED)

    def _count(self, failed: int) -> None:
        try:
            if failed:
                self._board.count(NOT_SWEPT, failed)
        except BackendUnavailableError as error:
            _log.warning("sweep.not_counted", extra={"reason": error.reason})


def _failure_of(part: Callable[[], object]) -> Exception | None:
    try:
        part()
    except Exception as error:  # noqa: BLE001 - raised once the other parts had their turn
        _log.warning("sweep.part_failed", exc_info=True)
        return error
    return None
