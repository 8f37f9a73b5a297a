"""Starts explanations: at once where everything is cached, else through the queue."""

import logging
from collections.abc import Sequence

from xmirad.catalog.explanations import ExplanationRow
from xmirad.errors import (
    BackendUnavailableError,
    ExplanationNotFoundError,
    ItemNotFoundError,
    QueueFullError,
)
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.checking import check_request
from xmirad.explanations.completing import Completion
from xmirad.explanations.defaults import with_defaults
from xmirad.explanations.forgetting import Forgetter
from xmirad.explanations.ports import QueueName, TaskQueue
from xmirad.explanations.records import ExplanationRequest
from xmirad.explanations.scoring import entries_of
from xmirad.explanations.store import Asked, ExplanationStore
from xmirad.types import ExplanationState

_log = logging.getLogger(__name__)


class Creator:
    """Takes requests. Asking twice for the same is asking once, unless the first try failed or was cancelled."""

    def __init__(
        self,
        store: ExplanationStore,
        cache: OcclusionCache,
        completion: Completion,
        forgetter: Forgetter,
        *,
        queue: TaskQueue,
        max_windows: int,
    ) -> None:
        """Start explanations on a queue."""
        self._store = store
        self._cache = cache
        self._completion = completion
        self._forgetter = forgetter
        self._queue = queue
        self._max_windows = max_windows

    def check(self, requests: Sequence[ExplanationRequest]) -> None:
        """Refuse requests that no method can answer, before anything is stored.

        Raises:
            InvalidRequestError: With the field at fault.
        """
        for request in requests:
            check_request(request, max_windows=self._max_windows)

    def create(self, request: ExplanationRequest, *, queue: QueueName) -> Asked:
        """Start an explanation, or find the one that is there.

        Raises:
            InvalidRequestError: If no method can answer it.
            QueueFullError: If the queue has no room; nothing is kept then.
            BackendUnavailableError: If the queue or a store fails; nothing is kept then.
        """
        request = with_defaults(request)
        self.check([request])
        before = self._before(request)
        if before is not None:
            outcome = self._store.outcome(before)
            if outcome is None:
                self.start(before, queue=queue)
                return before
            if outcome.state is ExplanationState.SUCCEEDED:
                return before
        attempt, kept = before.attempt + 1 if before else 1, self._store.kept(before)
        is_new = self._store.put_request(request, queue=queue, attempt=attempt)
        try:
            asked = self._store.asked(request.explanation)
        except ExplanationNotFoundError:  # what is stored of it cannot be read
            self._forgetter.delete(request.explanation)
            is_new = self._store.put_request(request, queue=queue, attempt=attempt)
            asked = self._store.asked(request.explanation)
        entries = entries_of(request).values()
        if entries:
            self._cache.count_use(is_cached=not any(map(self._cache.missing, entries)))
        try:
            self.start(asked, queue=queue)
        except (BackendUnavailableError, QueueFullError):
            if is_new:
                self._withdraw(asked, kept)
            raise
        return asked

    def create_all(self, requests: Sequence[ExplanationRequest], *, queue: QueueName) -> list[Asked]:
        """Start explanations, all or none; those that share an image share the work on it.

        Raises:
            InvalidRequestError: If no method can answer one of them.
            QueueFullError: If the queue has no room; nothing new is kept then.
            BackendUnavailableError: If the queue or a store fails; nothing new is kept then.
        """
        requests = [with_defaults(request) for request in requests]
        self.check(requests)
        before = [self._store.kept(self._before(request)) for request in requests]
        created: list[Asked] = []
        try:
            for request in requests:
                created.append(self.create(request, queue=queue))  # noqa: PERF401 - what is there is needed on failure
        except (BackendUnavailableError, QueueFullError):
            for asked, earlier in zip(created, before, strict=False):
                if earlier is None or earlier.attempt != asked.attempt:
                    self._withdraw(asked, earlier)
            raise
        return created

    def start(self, asked: Asked, *, queue: QueueName) -> None:
        """Have whatever is missing computed; with nothing missing, finish at once.

        Raises:
            QueueFullError: If the queue has no room.
            BackendUnavailableError: If the queue or a store fails.
        """
        explanation = asked.request.explanation
        entries = entries_of(asked.request).values()
        missing = {entry: chunks for entry in entries if (chunks := self._cache.missing(entry))}
        for entry, chunks in missing.items():
            try:
                if explanation not in self._cache.subscribers(entry):
                    self._cache.subscribe(entry, explanation)
            except ItemNotFoundError as error:
                self._completion.fail(asked, error)
                return
            self._queue.fill(entry, chunks, queue=queue)
        # Also finishes what was completed between looking and subscribing.
        self._completion.advance(explanation)

    def _withdraw(self, asked: Asked, before: ExplanationRow | None) -> None:
        if before is None:
            self._forgetter.delete(asked.request.explanation)
        else:
            self._store.put_back(before, attempt=asked.attempt)

    def _before(self, request: ExplanationRequest) -> Asked | None:
        try:
            return self._store.asked(request.explanation)
        except ExplanationNotFoundError:
            return None
