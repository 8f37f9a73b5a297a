"""What every call passes: request id, the door, overload guard, metrics, and errors turned into statuses."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import grpc
import structlog

from xmirad.api.errors import REQUEST_ID_KEY, RichStatus, status_of
from xmirad.errors import InternalError, OverloadedError, XmiradError
from xmirad.observability.logs import request_context
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.attendance import Attendance, attended
from xmirad_services.retrieval.door import Door, check_request, current_account, current_caller
from xmirad_services.retrieval.message_budget import MessageBudget
from xmirad_services.retrieval.open_calls import OpenCalls
from xmirad_services.retrieval.received import Read, decoded, noted
from xmirad_services.retrieval.refusals import RefusalLog
from xmirad_services.retrieval.scopes import is_open

OVERLOAD_RETRY_SECONDS = 1.0
OWN_PACKAGE = "xmirad."

request_id: ContextVar[str] = ContextVar("request_id", default="")
_log = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Call = Callable[[AsyncIterator[bytes], Context], AsyncGenerator[Any, None]]


def as_domain_error(error: Exception) -> XmiradError:
    """Return a domain error as it is, and anything else, after logging it, as an error that tells nothing of it."""
    if isinstance(error, XmiradError):
        return error
    _log.exception("request.failed", exc_info=error)
    return InternalError("the service failed; its log has the details under the request id")


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Surrounds every call of the server. Its message is read within, after the door: see `received.py`."""

    def __init__(
        self,
        metrics: RetrievalMetrics,
        door: Door,
        *,
        max_concurrent_requests: int,
        max_message_bytes: int,
        idle_seconds: float,
    ) -> None:
        """Count calls, refuse those beyond a number of concurrent ones, and end silent ones; a stream is one call."""
        self._metrics = metrics
        self._door = door
        self._limit = max_concurrent_requests
        self._idle_seconds = idle_seconds
        self._messages = MessageBudget(max_message_bytes)
        self._running = 0
        self._open = OpenCalls()
        self._refusals = RefusalLog()

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401
        """Wrap the handler of a call as one of a stream; see `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method.removeprefix("/")
        if handler is None:
            return None
        if is_open(method):
            return self._open.guarded(handler)
        if not method.startswith(OWN_PACKAGE):
            return self._foreign(method, handler)
        # Requests are decoded within the call, because gRPC answers unreadable ones with the name of a Python class.
        read = handler.request_deserializer
        if handler.unary_unary:
            call = self._unary(method, handler.unary_unary, read)
        elif handler.unary_stream:
            call = self._watch(method, handler.unary_stream, read)
        else:
            call = self._stream(method, handler.stream_stream, read)
        return grpc.stream_stream_rpc_method_handler(call, response_serializer=handler.response_serializer)

    def _foreign(self, method: str, handler: Any) -> Any:  # noqa: ANN401 - gRPC's own classes have no names
        """Guard a stream of another package (reflection), which is not measured."""

        async def call(received: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            try:
                with self._door.admitted(method, context):
                    async with self._attended(context) as attendance:
                        attendance.idles()
                        async for answer in handler.stream_stream(noted(received, attendance), context):
                            yield answer
            except XmiradError as error:
                self._refusals.note(method, error)
                status = status_of(error, _offered_request_id(context))
                await context.abort(status.code, status.details, status.trailing_metadata)

        read, write = handler.request_deserializer, handler.response_serializer
        return grpc.stream_stream_rpc_method_handler(call, request_deserializer=read, response_serializer=write)

    def _unary(self, method: str, behavior: Callable[..., Any], read: Read) -> Call:
        async def call(_received: AsyncIterator[bytes], context: Context) -> AsyncGenerator[Any, None]:
            async with self._surrounded(method, context):
                answer = await self._answer(behavior, read, context)
            yield answer

        return _aborting(call)

    async def _answer(self, behavior: Callable[..., Any], read: Read, context: Context) -> Any:  # noqa: ANN401
        async with self._message(context, read) as request:
            return await behavior(request, context)

    def _stream(self, method: str, behavior: Callable[..., Any], read: Read) -> Call:
        async def call(received: AsyncIterator[bytes], context: Context) -> AsyncGenerator[Any, None]:
            async with self._surrounded(method, context), self._attended(context) as attendance:
                attendance.idles()
                messages = (decoded(read, data) async for data in noted(received, attendance))
                async with aclosing(behavior(messages, context)) as answers:
                    async for answer in answers:
                        attendance.idles()
                        yield answer
                        attendance.idles()

        return _aborting(call)

    def _watch(self, method: str, behavior: Callable[..., Any], read: Read) -> Call:
        async def call(_received: AsyncIterator[bytes], context: Context) -> AsyncGenerator[Any, None]:
            async with self._surrounded(method, context):
                async with self._message(context, read) as request:
                    pass  # a watch keeps no memory for messages
                async with (
                    self._attended(context) as attendance,
                    aclosing(behavior(request, context)) as answers,
                ):
                    async for answer in answers:
                        attendance.idles()
                        yield answer
                        attendance.works()

        return _aborting(call)

    def _message(self, context: Context, read: Read) -> AbstractAsyncContextManager[Any]:
        return self._messages.message(context, partial(_request, read), current_account(), seconds=self._idle_seconds)

    def _attended(self, context: Context) -> AbstractAsyncContextManager[Attendance]:
        check = partial(self._door.check_again, current_caller(), context)
        return attended(check, idle_seconds=self._idle_seconds)

    @asynccontextmanager
    async def _surrounded(self, method: str, context: Context) -> AsyncIterator[None]:
        with request_context(_offered_request_id(context)) as identifier, self._metrics.in_flight(method):
            request_id.set(identifier)
            context.set_trailing_metadata(((REQUEST_ID_KEY, identifier),))
            began, code = time.perf_counter(), "OK"
            try:
                with self._door.admitted(method, context), self._place():
                    yield
            except (asyncio.CancelledError, GeneratorExit):  # gRPC drops a stream that waits to be read
                code = _code_of_cancellation(context)
                raise
            except Exception as raised:  # noqa: BLE001 - becomes the call's status
                error = as_domain_error(raised)
                self._refusals.note(method, error)
                status = status_of(error, identifier)
                code = status.code.name
                del error
                _forget_frames(raised)
                raise _FailedError(status) from None
            finally:
                self._metrics.request_finished(method, code, time.perf_counter() - began)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Take one of the places, of which strangers get none."""
        if self._running >= self._limit:
            message = f"{self._limit} requests are under way, which is the limit; try again later"
            metadata = {"max_concurrent_requests": str(self._limit)}
            raise OverloadedError(message, metadata=metadata, retry_delay_seconds=OVERLOAD_RETRY_SECONDS)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


class _FailedError(Exception):
    """A call is to be ended with a status."""

    def __init__(self, status: RichStatus) -> None:
        super().__init__()
        self.status = status


def _aborting(call: Call) -> Call:
    """End a call that has failed once nothing refers to what was raised.

    Its frames hold the request, and the error with which gRPC ends a call would keep them until garbage is collected.
    """

    async def whole(received: AsyncIterator[bytes], context: Context) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(call(received, context)) as answers:
                async for answer in answers:
                    yield answer
        except _FailedError as failed:
            status = failed.status
        else:
            return
        await context.abort(status.code, status.details, status.trailing_metadata)

    return whole


def _request(read: Read, data: bytes) -> Any:  # noqa: ANN401 - each method has its own class
    message = decoded(read, data)
    check_request(message)
    return message


def _forget_frames(error: BaseException | None) -> None:
    """Forget where an error was raised: frames there hold the request, and futures that hold the error."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _code_of_cancellation(context: Context) -> str:
    """Return why gRPC has cancelled a call: it does so when the deadline passes, too."""
    remaining: float | None = context.time_remaining()  # None without a deadline, whatever its type says
    return "DEADLINE_EXCEEDED" if remaining is not None and remaining <= 0 else "CANCELLED"


def _offered_request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str):
            return value
    return ""
