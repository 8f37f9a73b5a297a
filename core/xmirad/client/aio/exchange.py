"""One bidirectional stream over an asynchronous channel; see `xmirad.client.exchange`."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, Generic
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from xmirad.client.aio.connection import AioConnection
from xmirad.client.exchange import WATCHING_SECONDS
from xmirad.client.ledger import Ledger
from xmirad.client.stream_kinds import Asked, Outcome, StreamKind
from xmirad.client.window import Window, check_in_flight
from xmirad.errors import XmiradError


class AioExchange(Generic[Asked, Outcome]):
    """One run of a stream."""

    def __init__(
        self,
        connection: AioConnection,
        kind: StreamKind[Asked, Outcome],
        asked: Iterable[Asked] | AsyncIterable[Asked],
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
        self._room = asyncio.Semaphore(in_flight)
        self._window = Window(in_flight)
        self._ledger = Ledger(kind, self._window, address=connection.address)
        self._silent = False

    async def outcomes(self) -> AsyncIterator[Outcome]:
        """Yield the outcomes in the order of the answers. Closing the iterator cancels the stream.

        Raises:
            XmiradError: If the service refused or broke off the stream.
            TimeoutError: If the service was silent for longer than the connection's timeout while it owed an answer.
            Exception: What the caller's iterable raised, after everything that was sent is answered.
        """
        request_id = uuid4().hex
        stream = self._connection.open(self._kind.method, self._requests(), request_id=request_id)
        watching = asyncio.create_task(self._watch(stream))
        try:
            async for received in self._received(stream):
                for outcome in self._ledger.answer(received):
                    yield outcome
                self._room.release()
            error = self._ledger.early_end()
        except asyncio.CancelledError:
            if not self._silent:
                raise
            error = self._ledger.silence(self._connection.timeout_seconds)
        except grpc.RpcError as rpc_error:
            error = self._connection.error_of(rpc_error, request_id)
            error.__cause__ = rpc_error
        except XmiradError as broken_promise:
            error = broken_promise
        finally:
            watching.cancel()
            stream.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        for outcome in self._ledger.rest(error):
            yield outcome

    async def _received(self, stream: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - see `AioConnection.open`
        while True:
            self._window.set_waiting(True)
            received = await stream.read()
            self._window.set_waiting(False)
            if received is grpc.aio.EOF:
                return
            yield received

    async def _requests(self) -> AsyncIterator[Message]:
        """Make the requests; gRPC asks for the next one when the last one is sent."""
        try:
            await self._room.acquire()
            async for value in _each(self._asked):
                self._window.wait_for_room()  # there is room; it only notes that a value is being read
                request = self._ledger.request(value)
                if request is None:
                    self._room.release()
                else:
                    yield request
                await self._room.acquire()
        except Exception as error:  # noqa: BLE001 - raised to the caller with the outcomes
            self._ledger.input_error = error
        self._window.all_sent()

    async def _watch(self, stream: Any) -> None:  # noqa: ANN401 - see `AioConnection.open`
        timeout = self._connection.timeout_seconds
        while self._window.silence_seconds() <= timeout:
            await asyncio.sleep(min(WATCHING_SECONDS, timeout / 10))
        self._silent = True
        stream.cancel()


async def _each(asked: Iterable[Asked] | AsyncIterable[Asked]) -> AsyncIterator[Asked]:
    if isinstance(asked, AsyncIterable):
        async for value in asked:
            yield value
    else:
        for value in asked:
            yield value
