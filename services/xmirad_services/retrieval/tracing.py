"""Begins a span for every call, as part of the caller's trace if it sends one (`traceparent`)."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc

from xmirad.observability.tracing import SpanName, continued, is_tracing, span

Context = grpc.aio.ServicerContext[Any, Any]
OWN_PACKAGE = "xmirad."
CARRIED = frozenset({"traceparent", "tracestate"})


def tracing_interceptors() -> list[grpc.aio.ServerInterceptor]:
    """Return what to put before all other interceptors: nothing while tracing is off."""
    return [TracingInterceptor()] if is_tracing() else []


class TracingInterceptor(grpc.aio.ServerInterceptor):
    """Surrounds every call with a span, outside of whatever else surrounds it, so that log lines name the trace."""

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401
        """Wrap the handler of a call; see `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method.removeprefix("/")
        if handler is None or not method.startswith(OWN_PACKAGE):
            return handler
        codecs = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_single(method, handler.unary_unary), **codecs)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(_stream(method, handler.unary_stream), **codecs)
        return grpc.stream_stream_rpc_method_handler(_stream(method, handler.stream_stream), **codecs)


def _single(method: str, behavior: Callable[..., Any]) -> Callable[..., Any]:
    async def call(request: Any, context: Context) -> Any:  # noqa: ANN401
        with _span(method, context):
            return await behavior(request, context)

    return call


def _stream(method: str, behavior: Callable[..., Any]) -> Callable[..., Any]:
    async def call(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401
        with _span(method, context):
            async with aclosing(behavior(requests, context)) as answers:
                async for answer in answers:
                    yield answer

    return call


@contextmanager
def _span(method: str, context: Context) -> Iterator[None]:
    carrier = {
        key: value for key, value in context.invocation_metadata() or () if key in CARRIED and isinstance(value, str)
    }
    with continued(carrier), span(SpanName.REQUEST, method=method):
        yield
