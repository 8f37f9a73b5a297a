"""What becomes of the requests of one bidirectional stream. Knows no transport.

Every value that was taken from the caller's iterable gets exactly one outcome, also when the stream breaks: then the
unanswered ones are yielded as failed, and the reason is raised after them.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Generic

from google.protobuf.message import Message

from xmirad.client.stream_kinds import Asked, Correlated, Outcome, StreamKind
from xmirad.client.window import Window
from xmirad.errors import BackendUnavailableError, XmiradError

StreamError = XmiradError | TimeoutError | CancelledError


class Ledger(Generic[Asked, Outcome]):
    """Notes what was sent, refused and answered.

    Attributes:
        window: What is under way.
        input_error: What the caller's iterable raised, or None.
    """

    def __init__(self, kind: StreamKind[Asked, Outcome], window: Window, *, address: str) -> None:
        """Begin with nothing sent."""
        self.window = window
        self.input_error: Exception | None = None
        self._kind = kind
        self._address = address
        self._refused: deque[Outcome] = deque()

    def request(self, value: Asked) -> Message | None:
        """Note a value as under way and return its request; None, after noting the outcome, where it cannot be sent.

        Raises:
            InvalidRequestError: If its correlation id is empty, too long, or under way already.
        """
        self.window.add(value.correlation_id)
        try:
            return self._kind.request(value)
        except XmiradError as error:
            self._refused.append(self._kind.failed(value.correlation_id, error))
            self.window.remove(value.correlation_id)
            return None

    def answer(self, received: Correlated) -> Iterator[Outcome]:
        """Yield the outcomes that are known with an answer: those of refused values, and the answer's own.

        Raises:
            InternalError: If nothing was asked that it answers.
        """
        while self._refused:
            yield self._refused.popleft()
        self.window.remove(received.correlation_id)
        yield self._kind.parse(received)

    def rest(self, error: StreamError | None, *, settle_seconds: float = 0.0) -> Iterator[Outcome]:
        """Yield what has no outcome yet, then raise what went wrong.

        Raises:
            Exception: The given error; without one, what the caller's iterable raised.
        """
        unanswered = self.window.unanswered(settle_seconds=settle_seconds)
        yield from self._refused
        if error is not None:
            reason = error if isinstance(error, XmiradError) else BackendUnavailableError(str(error))
            for correlation_id in unanswered:
                yield self._kind.failed(correlation_id, reason)
            if isinstance(error, XmiradError):
                error.metadata["unanswered"] = str(len(unanswered))
            error.add_note(f"{len(unanswered)} requests of the stream were not answered; sending them again is safe")
            if self.input_error is not None:
                error.add_note(f"before that, the caller's iterable raised {self.input_error!r}")
            raise error
        if self.input_error is not None:
            raise self.input_error

    def early_end(self) -> StreamError | None:
        """Return the error for a stream that ended well, but before everything was sent and answered."""
        if self.window.is_settled:
            return None
        metadata = {"backend": "service", "address": self._address}
        return BackendUnavailableError(f"The service at {self._address} ended the stream early", metadata=metadata)

    def silence(self, timeout_seconds: float) -> TimeoutError:
        """Return the error for a service that owes an answer and says nothing."""
        return TimeoutError(f"The service at {self._address} was silent for {timeout_seconds:g} s")
