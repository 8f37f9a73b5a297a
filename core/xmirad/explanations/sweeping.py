"""Finds what was left lying: unfinished explanations, expired ones, queries that nobody explains.

Whatever the queue and the board lose is found here, because the requests lie in the blob store.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, QueueFullError
from xmirad.explanations.creating import Creator
from xmirad.explanations.eviction import Evictor
from xmirad.explanations.forgetting import Forgetter
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.ports import Board, TaskQueue
from xmirad.explanations.records import ImageKind
from xmirad.explanations.scoring import entries_of
from xmirad.explanations.store import Asked, ExplanationStore
from xmirad.explanations.warming import Warmer
from xmirad.types import ExplanationState

LEASE = "sweeper"
LEASE_SWEEPS = 3.0
SWEEPS_BETWEEN_LISTINGS = 240
ABANDONED_SECONDS = 600.0
"""After so long a stored query without an explanation is taken for one whose creation failed."""
ASSESSED_SECONDS = 3_600.0
"""After so long a map that is not assessed stays so."""
MOST_UNAVAILABLE = 3
"""After so many explanations in a row that a store or the board failed for, the others wait for the next sweep."""
NOT_SWEPT = "explanations_not_swept"
"""Counter on the board."""
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
        store: ExplanationStore,
        images: ExplanationImages,
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
        self._store = store
        self._images = images
        self._creator = creator
        self._forgetter = forgetter
        self._evictor = evictor
        self._warmer = warmer
        self._board = board
        self._queue = queue
        self._retention = retention
        self._holder = holder
        self._clock = clock
        self._settled: dict[tuple[str, int], float] = {}
        self._failed: frozenset[str] = frozenset()
        self._sweeps = 0

    def sweep(self) -> bool:
        """Sweep once. Return False if another process does.

        An explanation that cannot be looked after is logged, counted and left; it stops neither the others nor what
        comes after them.

        Raises:
            BackendUnavailableError: If a store, the board or the queue fails; the next sweep goes on.
        """
        if not self._board.lease(LEASE, self._holder, seconds=LEASE_SWEEPS * self._retention.sweep):
            return False
        parts = (lambda: self._look_after_all(self._bring_forward), self._reconcile, self._evictor.evict)
        failures = [_failure_of(part) for part in (*parts, self._warmer.feed)]
        for failure in filter(None, failures):
            raise failure
        return True

    def expire(self) -> None:
        """Delete what has expired, and nothing else: all that can be done, and must be, while there is no queue.

        May be done by several processes at once.

        Raises:
            BackendUnavailableError: If the blob store fails.
        """
        self._look_after_all(self._expiry_of_finished)

    def _look_after_all(self, expiry_of: Callable[[Asked], float]) -> None:
        in_use: set[str] = set()
        seen: set[tuple[str, int]] = set()
        failed: list[str] = []
        unavailable: list[Exception] = []
        # What failed last time comes last: however much of it there is, all others are looked after before.
        for explanation in sorted(self._store.explanations(), key=self._failed.__contains__):
            try:
                in_use.add(self._look_after(explanation, expiry_of, seen))
                unavailable = []
            except Exception as error:  # noqa: BLE001 - whatever a stored document can bring about
                _log.warning("explanation.not_swept", extra={"explanation": explanation}, exc_info=True)
                failed.append(explanation)
                unavailable = [*unavailable, error] if isinstance(error, BackendUnavailableError) else []
                if len(unavailable) == MOST_UNAVAILABLE:
                    break
        self._failed = frozenset(failed)
        self._settled = {key: expiry for key, expiry in self._settled.items() if key in seen}
        self._count(len(failed))
        # Which queries the others need is not known: theirs go when every query of that age does.
        self._drop_queries(in_use, after_seconds=self._retention.queries if failed else ABANDONED_SECONDS)
        if len(unavailable) == MOST_UNAVAILABLE:
            raise unavailable[0]

    def _look_after(self, explanation: str, expiry_of: Callable[[Asked], float], seen: set[tuple[str, int]]) -> str:
        """Bring an explanation forward or delete it, and return the digest of its query if that is to be kept."""
        try:
            asked = self._store.asked(explanation)
            seen.add((explanation, asked.attempt))
            query = asked.request.query
            kept = query.digest if query.kind is not ImageKind.ITEM else ""
            if self._is_over(asked, expiry_of) or (kept and self._is_expired(kept)):
                self._forgetter.delete(explanation)
                return ""
        except ExplanationNotFoundError:
            self._store.delete(explanation)  # what a deletion cut short has left, or nobody can read
            return ""
        return kept

    def _is_over(self, asked: Asked, expiry_of: Callable[[Asked], float]) -> bool:
        """Bring an explanation forward, and return whether it has expired.

        Raises:
            Exception: Whatever keeps it from being read, as long as it is younger than what is kept once finished.
        """
        settled = self._settled.get((asked.request.explanation, asked.attempt))
        try:
            expiry = settled if settled is not None and self._store.is_finished(asked) else expiry_of(asked)
        except (BackendUnavailableError, ExplanationNotFoundError):
            raise
        except Exception:
            if self._clock() < asked.create_time + self._retention.explanations:
                raise
            return True
        return self._clock() >= expiry

    def _expiry_of_finished(self, asked: Asked) -> float:
        outcome = self._store.outcome(asked)
        return float("inf") if outcome is None else outcome.finish_time + self._retention.explanations

    def _bring_forward(self, asked: Asked) -> float:
        """Have what is missing computed, and return when the explanation expires."""
        explanation = asked.request.explanation
        outcome = self._store.outcome(asked)
        if outcome is None:
            try:
                self._creator.start(asked, queue=asked.queue)
            except QueueFullError as error:
                _log.warning("explanation.waits_for_room", extra={"reason": error.reason})
            return float("inf")
        expiry = outcome.finish_time + self._retention.explanations
        is_recent = self._clock() < outcome.finish_time + ASSESSED_SECONDS
        if outcome.state is ExplanationState.SUCCEEDED and is_recent and not self._store.is_assessed(asked):
            self._queue.assess(explanation, attempt=asked.attempt)
        else:
            self._settle(asked, expiry)
        return expiry

    def _settle(self, asked: Asked, expiry: float) -> None:
        for entry in entries_of(asked.request).values():  # in case the board was out of reach when it ended
            self._board.unsubscribe(entry.location, asked.request.explanation)
        self._settled[asked.request.explanation, asked.attempt] = expiry

    def _is_expired(self, digest: str) -> bool:
        try:
            return self._clock() >= self._images.query(digest).create_time + self._retention.queries
        except ExplanationNotFoundError:
            return True

    def _drop_queries(self, in_use: set[str], *, after_seconds: float) -> None:
        for digest in list(self._images.queries()):
            if digest in in_use:
                continue
            try:
                created = self._images.query(digest).create_time
            except ExplanationNotFoundError:
                created = float("-inf")
            if self._clock() >= created + after_seconds:
                self._images.delete_query(digest)

    def _reconcile(self) -> None:
        if self._sweeps % SWEEPS_BETWEEN_LISTINGS == 0:
            self._evictor.reconcile()
        self._sweeps += 1

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
