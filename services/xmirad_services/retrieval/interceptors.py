"""What every call passes: request id, overload guard, the door, metrics, and errors turned into statuses."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from xmirad.api.errors import REQUEST_ID_KEY, status_of
from xmirad.errors import InternalError, InvalidRequestError, OverloadedError, XmiradError
from xmirad.observability.logs import request_context
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.door import Door, check_request
from xmirad_services.retrieval.scopes import is_open

OVERLOAD_RETRY_SECONDS = 1.0
OWN_PACKAGE = "xmirad."

request_id: ContextVar[str] = ContextVar("request_id", default="")
_log = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Read = Callable[[bytes], Any]


def as_domain_error(error: Exception) -> XmiradError:
    """Return a domain error as it is, and anything else, after logging it, as an error that tells nothing of it."""
    if isinstance(error, XmiradError):
        return error
    _log.exception("request.failed", exc_info=error)
    return InternalError("the service failed; its log has the details under the request id")


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Surrounds every call of the server."""

    def __init__(self, metrics: RetrievalMetrics, door: Door, *, max_concurrent_requests: int) -> None:
        """Count calls, and refuse those beyond a number of concurrent ones; a stream is one call."""
        self._metrics = metrics
        self._door = door
        self._limit = max_concurrent_requests
        self._running = 0

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401
        """Wrap the handler of a call; see `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method.removeprefix("/")
        if handler is None or is_open(method):
            return handler
        if not method.startswith(OWN_PACKAGE):
            return self._foreign(method, handler)
        # Requests are read within the call, because gRPC answers unreadable ones with the name of a Python class.
        read, write = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary:
            call = self._unary(method, handler.unary_unary, read)
            return grpc.unary_unary_rpc_method_handler(call, response_serializer=write)
        if handler.unary_stream:
            watch = self._watch(method, handler.unary_stream, read)
            return grpc.unary_stream_rpc_method_handler(watch, response_serializer=write)
        stream = self._stream(method, handler.stream_stream, read)
        return grpc.stream_stream_rpc_method_handler(stream, response_serializer=write)

    def _foreign(self, method: str, handler: Any) -> Any:  # noqa: ANN401 - gRPC's own classes have no names
        """Guard a stream of another package (reflection), which is neither measured nor has our details in errors."""

        async def call(received: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            try:
                with self._door.admitted(method, context):
                    async for answer in handler.stream_stream(received, context):
                        yield answer
            except XmiradError as error:
                status = status_of(error, _offered_request_id(context))
                await context.abort(status.code, status.details, status.trailing_metadata)

        read, write = handler.request_deserializer, handler.response_serializer
        return grpc.stream_stream_rpc_method_handler(call, request_deserializer=read, response_serializer=write)

    def _unary(self, method: str, behavior: Callable[..., Any], read: Read) -> Callable[..., Any]:
        async def call(data: bytes, context: Context) -> Any:  # noqa: ANN401
            async with self._surrounded(method, context):
                return await behavior(_checked(read, data), context)

        return call

    def _stream(self, method: str, behavior: Callable[..., Any], read: Read) -> Callable[..., Any]:
        async def call(received: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
            async with self._surrounded(method, context):
                messages = (_message(read, data) async for data in received)
                async with aclosing(behavior(messages, context)) as answers:
                    async for answer in answers:
                        yield answer

        return call

    def _watch(self, method: str, behavior: Callable[..., Any], read: Read) -> Callable[..., Any]:
        async def call(data: bytes, context: Context) -> AsyncIterator[Any]:
            async with (
                self._surrounded(method, context),
                aclosing(behavior(_checked(read, data), context)) as answers,
            ):
                async for answer in answers:
                    yield answer

        return call

    @asynccontextmanager
    async def _surrounded(self, method: str, context: Context) -> AsyncIterator[None]:
        with request_context(_offered_request_id(context)) as identifier, self._metrics.in_flight(method):
            request_id.set(identifier)
            context.set_trailing_metadata(((REQUEST_ID_KEY, identifier),))
            began, code = time.perf_counter(), "OK"
            self._running += 1
            try:
                self._refuse_overload()
                with self._door.admitted(method, context):
                    yield
            except (asyncio.CancelledError, GeneratorExit):  # gRPC drops a stream that waits to be read
                code = _code_of_cancellation(context)
                raise
            except Exception as error:  # noqa: BLE001 - becomes the call's status
                status = status_of(as_domain_error(error), identifier)
                code = status.code.name
                await context.abort(status.code, status.details, status.trailing_metadata)
            finally:
                self._running -= 1
                self._metrics.request_finished(method, code, time.perf_counter() - began)

    def _refuse_overload(self) -> None:
        if self._running > self._limit:
            message = f"{self._limit} requests are under way, which is the limit; try again later"
            metadata = {"max_concurrent_requests": str(self._limit)}
            raise OverloadedError(message, metadata=metadata, retry_delay_seconds=OVERLOAD_RETRY_SECONDS)


def _message(read: Read, data: bytes) -> Any:  # noqa: ANN401 - each method has its own class
    try:
        return read(data)
    except DecodeError as error:
        raise InvalidRequestError("the bytes are no message of this method, or its texts are not UTF-8") from error


def _checked(read: Read, data: bytes) -> Any:  # noqa: ANN401 - each method has its own class
    message = _message(read, data)
    check_request(message)
    return message


def _code_of_cancellation(context: Context) -> str:
    """Return why gRPC has cancelled a call: it does so when the deadline passes, too."""
    remaining: float | None = context.time_remaining()  # None without a deadline, whatever its type says
    return "DEADLINE_EXCEEDED" if remaining is not None and remaining <= 0 else "CANCELLED"


def _offered_request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str):
            return value
    return ""
