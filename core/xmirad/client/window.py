"""What of a stream is under way: sent, or about to be, and not yet answered. Knows no transport."""

import threading
import time

from xmirad.api import checks
from xmirad.errors import InternalError, InvalidRequestError


class Window:
    """Bounds how many requests of a stream are unanswered. One thread sends, another one receives."""

    def __init__(self, limit: int) -> None:
        """Let at most `limit` requests be under way."""
        self._limit = limit
        self._condition = threading.Condition()
        self._under_way: dict[str, None] = {}
        self._closed = False
        self._reading = False
        self._waiting = False
        self._all_sent = False
        self._progress = time.monotonic()

    @property
    def is_settled(self) -> bool:
        """Whether everything was sent and answered."""
        with self._condition:
            return self._all_sent and not self._under_way

    def unanswered(self, *, settle_seconds: float = 0.0) -> tuple[str, ...]:
        """Return the correlation ids under way, oldest first, after the sender is done with reading its next one."""
        with self._condition:
            self._condition.wait_for(lambda: not self._reading, settle_seconds)
            return tuple(self._under_way)

    def wait_for_room(self) -> bool:
        """Wait until another request may be read and sent; return False if none may be any more."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or len(self._under_way) < self._limit)
            self._reading = not self._closed
            return self._reading

    def add(self, correlation_id: str) -> None:
        """Note a request as under way.

        Raises:
            InvalidRequestError: If its correlation id is empty, too long, or under way already.
        """
        checks.correlation_id(correlation_id)
        with self._condition:
            if not correlation_id or correlation_id in self._under_way:
                message = "correlation_id must be set, and unique among the requests that are under way"
                raise InvalidRequestError(message, field="correlation_id")
            if not self._under_way:
                self._progress = time.monotonic()
            self._under_way[correlation_id] = None
            self._reading = False
            self._condition.notify_all()

    def remove(self, correlation_id: str) -> None:
        """Note a request as answered.

        Raises:
            InternalError: If it is not under way.
        """
        with self._condition:
            if correlation_id not in self._under_way:
                raise InternalError("the service answered a request that is not under way")
            del self._under_way[correlation_id]
            self._progress = time.monotonic()
            self._condition.notify_all()

    def all_sent(self) -> None:
        """Note that there is nothing more to send."""
        with self._condition:
            self._all_sent = True
            self._reading = False
            self._progress = time.monotonic()
            self._condition.notify_all()

    def set_waiting(self, waiting: bool) -> None:
        """Note whether the receiver waits for the service; while it does not, silence is its own."""
        with self._condition:
            self._waiting = waiting
            self._progress = time.monotonic()

    def silence_seconds(self) -> float:
        """Return for how long the service has owed the waiting receiver an answer, or the end of the stream."""
        with self._condition:
            owed = self._waiting and (bool(self._under_way) or self._all_sent)
            return time.monotonic() - self._progress if owed else 0.0

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


def check_in_flight(limit: int) -> None:
    """Check how many requests of a stream may be unanswered.

    Raises:
        InvalidRequestError: If none may.
    """
    if limit < 1:
        raise InvalidRequestError("in_flight must be at least 1", field="in_flight", metadata={"minimum": "1"})
