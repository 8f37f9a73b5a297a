"""Finds what was left lying: unfinished explanations, expired ones, queries that nobody explains.

Whatever the queue and the board lose is found here, because the requests lie in the blob store.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from xmirad.errors import ExplanationNotFoundError, QueueFullError
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
        self._sweeps = 0

    def sweep(self) -> bool:
        """Sweep once. Return False if another process does.

        Raises:
            BackendUnavailableError: If a store, the board or the queue fails; the next sweep goes on.
        """
        if not self._board.lease(LEASE, self._holder, seconds=LEASE_SWEEPS * self._retention.sweep):
            return False
        self._look_after_all(self._bring_forward)
        if self._sweeps % SWEEPS_BETWEEN_LISTINGS == 0:
            self._evictor.reconcile()
        self._sweeps += 1
        self._evictor.evict()
        self._warmer.feed()
        return True

    def expire(self) -> None:
        """Delete what has expired, and nothing else: all that can be done, and must be, while there is no queue.

        May be done by several processes at once.

        Raises:
            BackendUnavailableError: If the blob store fails.
        """
        self._look_after_all(self._expiry_of_finished)

    def _look_after_all(self, expiry_of: Callable[[Asked], float]) -> None:
        in_use, seen = set(), set()
        for explanation in list(self._store.explanations()):
            try:
                asked = self._store.asked(explanation)
                seen.add((explanation, asked.attempt))
                query = self._look_after(asked, expiry_of)
            except ExplanationNotFoundError:
                self._store.delete(explanation)  # what a deletion cut short has left, or nobody can read
            else:
                in_use.add(query)
        self._settled = {key: expiry for key, expiry in self._settled.items() if key in seen}
        self._drop_queries(in_use)

    def _look_after(self, asked: Asked, expiry_of: Callable[[Asked], float]) -> str:
        """Bring an explanation forward or delete it, and return the digest of its query if that is to be kept."""
        query = asked.request.query
        kept = query.digest if query.kind is not ImageKind.ITEM else ""
        settled = self._settled.get((asked.request.explanation, asked.attempt))
        expiry = settled if settled is not None and self._store.is_finished(asked) else expiry_of(asked)
        if self._clock() >= expiry or (kept and self._is_expired(kept)):
            self._forgetter.delete(asked.request.explanation)
            return ""
        return kept

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

    def _drop_queries(self, in_use: set[str]) -> None:
        for digest in list(self._images.queries()):
            if digest in in_use:
                continue
            try:
                created = self._images.query(digest).create_time
            except ExplanationNotFoundError:
                created = float("-inf")
            if self._clock() >= created + ABANDONED_SECONDS:
                self._images.delete_query(digest)
