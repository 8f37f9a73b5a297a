"""One bidirectional stream: requests made lazily from the caller's values, outcomes yielded as answers come.

Every value that was taken from the caller's iterable gets exactly one outcome, also when the stream breaks: then the
unanswered ones are yielded as failed, and the reason is raised after them.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any, Generic
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from xmirad.client.connection import Connection, StreamCall
from xmirad.client.stream_kinds import Asked, Outcome, StreamKind
from xmirad.client.window import Window, check_in_flight
from xmirad.errors import BackendUnavailableError, XmiradError

StreamError = XmiradError | TimeoutError | CancelledError
WATCHING_SECONDS = 1.0
SETTLE_SECONDS = 5.0  # for the caller's iterable to come back, when the stream broke meanwhile


class Exchange(Generic[Asked, Outcome]):
    """One run of a stream."""

    def __init__(
        self,
        connection: Connection,
        kind: StreamKind[Asked, Outcome],
        asked: Iterable[Asked],
        *,
        in_flight: int,
    ) -> None:
        """Prepare a stream; nothing is read or sent before the first outcome is asked for.

        Raises:
            InvalidRequestError: If `in_flight` is less than 1.
        """
        check_in_flight(in_flight)
        self._connection = connection
        self._kind = kind
        self._asked = asked
        self._window = Window(in_flight)
        self._refused: deque[Outcome] = deque()
        self._input_error: Exception | None = None
        self._ended = threading.Event()
        self._silent = False

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcomes in the order of the answers. Closing the iterator cancels the stream.

        Raises:
            XmiradError: If the service refused or broke off the stream.
            TimeoutError: If the service was silent for longer than the connection's timeout while it owed an answer.
            Exception: What the caller's iterable raised, after everything that was sent is answered.
        """
        request_id = uuid4().hex
        call = self._connection.stream(self._kind.method, self._requests(), request_id=request_id)
        threading.Thread(target=self._watch, args=(call,), name="xmirad-stream-watch", daemon=True).start()
        try:
            yield from self._answered(call)
            error = self._early_end()
        except grpc.RpcError as rpc_error:
            error = self._error_of(rpc_error, request_id)
            error.__cause__ = rpc_error
        except XmiradError as broken_promise:
            error = broken_promise
        finally:
            self._ended.set()
            self._window.close()
            call.cancel()
        yield from self._rest(error)

    def _answered(self, call: StreamCall[Any]) -> Iterator[Outcome]:
        while True:
            self._window.set_waiting(True)
            try:
                received = next(call)
            except StopIteration:
                return
            finally:
                self._window.set_waiting(False)
            while self._refused:
                yield self._refused.popleft()
            self._window.remove(received.correlation_id)
            yield self._kind.parse(received)

    def _rest(self, error: StreamError | None) -> Iterator[Outcome]:
        """Yield what has no outcome yet, then raise what went wrong."""
        unanswered = self._window.unanswered(settle_seconds=SETTLE_SECONDS)
        yield from self._refused
        if error is not None:
            reason = error if isinstance(error, XmiradError) else BackendUnavailableError(str(error))
            for correlation_id in unanswered:
                yield self._kind.failed(correlation_id, reason)
            if isinstance(error, XmiradError):
                error.metadata["unanswered"] = str(len(unanswered))
            error.add_note(f"{len(unanswered)} requests of the stream were not answered; sending them again is safe")
            if self._input_error is not None:
                error.add_note(f"before that, the caller's iterable raised {self._input_error!r}")
            raise error
        if self._input_error is not None:
            raise self._input_error

    def _requests(self) -> Iterator[Message]:
        """Make the requests; runs in a thread of gRPC, which asks for the next one when the last one is sent."""
        try:
            asked = iter(self._asked)
            while self._window.wait_for_room() and (value := next(asked, None)) is not None:
                self._window.add(value.correlation_id)
                request = self._request(value)
                if request is not None:
                    yield request
        except Exception as error:  # noqa: BLE001 - raised to the caller, in the caller's thread
            self._input_error = error
        self._window.all_sent()

    def _request(self, value: Asked) -> Message | None:
        """Return the request for a value; None, after noting the outcome, where it cannot be sent."""
        try:
            return self._kind.request(value)
        except XmiradError as error:
            self._refused.append(self._kind.failed(value.correlation_id, error))
            self._window.remove(value.correlation_id)
            return None

    def _watch(self, call: StreamCall[Any]) -> None:
        timeout = self._connection.timeout_seconds
        while not self._ended.wait(min(WATCHING_SECONDS, timeout / 10)):
            if self._window.silence_seconds() > timeout:
                self._silent = True
                call.cancel()
                return

    def _early_end(self) -> StreamError | None:
        """Return the error for a stream that ended well, but before everything was sent and answered."""
        if self._window.is_settled:
            return None
        where = self._connection.address
        metadata = {"backend": "service", "address": where}
        return BackendUnavailableError(f"The service at {where} ended the stream early", metadata=metadata)

    def _error_of(self, rpc_error: grpc.RpcError, request_id: str) -> StreamError:
        if self._silent:
            where, timeout = self._connection.address, self._connection.timeout_seconds
            return TimeoutError(f"The service at {where} was silent for {timeout:g} s")
        return self._connection.error_of(rpc_error, request_id)
