"""Every call of the server is a span, of the caller's trace where it sends one."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import grpc
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from xmirad.observability.tracing import start_tracing, stop_tracing, trace_id
from xmirad.settings import TracingSettings
from xmirad_services.retrieval.tracing import TracingInterceptor, tracing_interceptors

TRACE = "0af7651916cd43dd8448eb211c80319c"
METADATA = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"), ("baggage", "patient=PATIENT^NAME"))


class Call:
    """What a handler asks its context for."""

    def peer(self) -> str:
        return "ipv4:127.0.0.1:50000"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return METADATA


class Details:
    """What gRPC tells interceptors of a call."""

    def __init__(self, method: str) -> None:
        self.method = method


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    start_tracing(TracingSettings(), process="retrieval", version="1", processor=SimpleSpanProcessor(exporter))
    yield exporter
    stop_tracing()


async def _intercepted(handler: Any, method: str = "/xmirad.v1.A/B") -> Any:  # noqa: ANN401
    async def continuation(_details: object) -> Any:  # noqa: ANN401
        return handler

    return await TracingInterceptor().intercept_service(continuation, cast("Any", Details(method)))


async def test_a_call_goes_on_with_the_trace_of_the_caller(exporter: InMemorySpanExporter) -> None:
    async def behavior(request: str, _context: Any) -> str:  # noqa: ANN401
        return f"{request} in {trace_id()}"

    handler = await _intercepted(grpc.unary_unary_rpc_method_handler(cast("Any", behavior)))
    assert await handler.unary_unary("asked", Call()) == f"asked in {TRACE}"
    [span] = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"xmirad.method": "xmirad.v1.A/B"}
    assert "PATIENT" not in span.to_json()


@pytest.mark.parametrize("kind", ["unary_stream", "stream_stream"])
async def test_a_stream_is_one_span(exporter: InMemorySpanExporter, kind: str) -> None:
    async def behavior(_requests: Any, _context: Any) -> AsyncIterator[str]:  # noqa: ANN401
        yield trace_id()
        yield trace_id()

    make = getattr(grpc, f"{kind}_rpc_method_handler")
    handler = await _intercepted(make(behavior))
    answers = [answer async for answer in getattr(handler, kind)(None, Call())]
    assert answers == [TRACE, TRACE]
    assert len(exporter.get_finished_spans()) == 1


async def test_a_stream_that_is_dropped_ends_its_span(exporter: InMemorySpanExporter) -> None:
    async def behavior(_requests: Any, _context: Any) -> AsyncIterator[str]:  # noqa: ANN401
        while True:
            yield trace_id()

    handler = await _intercepted(grpc.unary_stream_rpc_method_handler(cast("Any", behavior)))
    answers = handler.unary_stream(None, Call())
    assert await anext(answers) == TRACE
    await answers.aclose()
    assert len(exporter.get_finished_spans()) == 1
    assert trace_id() == ""


async def test_health_checks_and_unknown_methods_are_left_alone(exporter: InMemorySpanExporter) -> None:
    async def behavior(_request: str, _context: Any) -> str:  # noqa: ANN401
        return trace_id()

    health: Any = grpc.unary_unary_rpc_method_handler(cast("Any", behavior))
    assert await _intercepted(health, "/grpc.health.v1.Health/Check") is health
    assert await _intercepted(None) is None


def test_nothing_is_put_before_the_calls_while_tracing_is_off() -> None:
    assert tracing_interceptors() == []
