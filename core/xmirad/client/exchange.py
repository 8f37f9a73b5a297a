"""One bidirectional stream: requests made lazily from the caller's values, outcomes yielded as answers come."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Generic
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from xmirad.client.connection import Connection, StreamCall
from xmirad.client.ledger import Ledger, StreamError
from xmirad.client.stream_kinds import Asked, Outcome, StreamKind
from xmirad.client.window import Window, check_in_flight
from xmirad.errors import XmiradError

WATCHING_SECONDS = 1.0
SETTLE_SECONDS = 5.0  # for the caller's iterable to come back, when the stream broke meanwhile


class Exchange(Generic[Asked, Outcome]):
    """One run of a stream."""

    def __init__(
        self, connection: Connection, kind: StreamKind[Asked, Outcome], asked: Iterable[Asked], *, in_flight: int
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
        self._ledger = Ledger(kind, self._window, address=connection.address)
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
            error = self._ledger.early_end()
        except grpc.RpcError as rpc_error:
            error = self._error_of(rpc_error, request_id)
            error.__cause__ = rpc_error
        except XmiradError as broken_promise:
            error = broken_promise
        finally:
            self._ended.set()
            self._window.close()
            call.cancel()
        yield from self._ledger.rest(error, settle_seconds=SETTLE_SECONDS)

    def _answered(self, call: StreamCall[Any]) -> Iterator[Outcome]:
        while True:
            self._window.set_waiting(True)
            try:
                received = next(call)
            except StopIteration:
                return
            finally:
                self._window.set_waiting(False)
            yield from self._ledger.answer(received)

    def _requests(self) -> Iterator[Message]:
        """Make the requests; runs in a thread of gRPC, which asks for the next one when the last one is sent."""
        try:
            asked = iter(self._asked)
            while self._window.wait_for_room() and (value := next(asked, None)) is not None:
                request = self._ledger.request(value)
                if request is not None:
                    yield request
        except Exception as error:  # noqa: BLE001 - raised to the caller, in the caller's thread
            self._ledger.input_error = error
        self._window.all_sent()

    def _watch(self, call: StreamCall[Any]) -> None:
        timeout = self._connection.timeout_seconds
        while not self._ended.wait(min(WATCHING_SECONDS, timeout / 10)):
            if self._window.silence_seconds() > timeout:
                self._silent = True
                call.cancel()
                return

    def _error_of(self, rpc_error: grpc.RpcError, request_id: str) -> StreamError:
        if self._silent:
            return self._ledger.silence(self._connection.timeout_seconds)
        return self._connection.error_of(rpc_error, request_id)
