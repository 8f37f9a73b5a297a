"""Traces: one for each request, across gRPC, queue and worker, by OpenTelemetry and W3C trace context.

As with logs, a process has one place where they go, which its deployable sets up, and library code only says
`with span(...)`. While tracing is off that costs nothing, and OpenTelemetry is not even imported.

Spans have names and attributes from closed sets, and no messages of exceptions: nothing in them names a person.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict, Unpack

from xmirad.errors import XmiradError
from xmirad.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span, Tracer

EXPORT_SECONDS = 5.0
_INSECURE = "http://"


class SpanName(StrEnum):
    """What takes time."""

    REQUEST = "request"
    DECODE = "decode"
    EMBED = "embed"
    SEARCH = "search"
    INDEX = "index"
    PUBLISH = "publish"
    FILL = "fill"
    ASSESS = "assess"
    SCORE = "score"


class Attributes(TypedDict, total=False):
    """What a span may say; words of ours and numbers."""

    method: str
    code: str
    queue: str
    outcome: str
    tasks: int
    top_k: int
    windows: int


class _Process:
    """Where the spans of this process go."""

    provider: "TracerProvider | None" = None
    tracer: "Tracer | None" = None


def start_tracing(
    settings: TracingSettings, *, process: str, version: str, processor: "SpanProcessor | None" = None
) -> None:
    """Send the spans of this process to the collector, if one is set; call it in the process itself, after forking.

    Args:
        settings: Where to.
        process: Name of the kind of process, such as `retrieval`.
        version: Version of the program.
        processor: Takes the spans instead of the collector. For tests.
    """
    if not settings.endpoint and processor is None:
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource({"service.name": f"{settings.service_name}-{process}", "service.version": version})
    sampler = ParentBased(TraceIdRatioBased(settings.share))
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(processor or _exporting(settings.endpoint))
    _Process.provider, _Process.tracer = provider, provider.get_tracer("xmirad", version)


def stop_tracing() -> None:
    """Send what is left, for a few seconds at most, and trace nothing any more."""
    provider, _Process.provider, _Process.tracer = _Process.provider, None, None
    if provider is not None:
        provider.shutdown()


def is_tracing() -> bool:
    """Return whether the spans of this process go anywhere."""
    return _Process.tracer is not None


@contextmanager
def span(name: SpanName, **attributes: Unpack[Attributes]) -> Iterator[None]:
    """Measure a block as part of the trace that it runs in, or as the beginning of one."""
    tracer = _Process.tracer
    if tracer is None:
        yield
        return
    from opentelemetry.trace import set_span_in_context

    named = {f"xmirad.{key}": str(value) for key, value in attributes.items()}
    begun = tracer.start_span(name, attributes=named)
    try:
        with _within(set_span_in_context(begun)):
            yield
    except Exception as error:
        _fail(begun, error)
        raise
    finally:
        begun.end()


@contextmanager
def continued(carrier: Mapping[str, str]) -> Iterator[None]:
    """Go on, in the block, with the trace that a carrier names; without one, or while tracing is off, do nothing."""
    if _Process.tracer is None:
        yield
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    with _within(TraceContextTextMapPropagator().extract(dict(carrier))):
        yield


def carried() -> dict[str, str]:
    """Return what names the present trace to another process: `traceparent`, or nothing."""
    carrier: dict[str, str] = {}
    if _Process.tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(carrier)
    return carrier


def trace_id() -> str:
    """Return the id of the present trace, 32 hexadecimal digits, or an empty string."""
    if _Process.tracer is None:
        return ""
    from opentelemetry.trace import get_current_span

    present = get_current_span().get_span_context()
    return f"{present.trace_id:032x}" if present.is_valid else ""


@contextmanager
def _within(inner: "Context") -> Iterator[None]:
    """Make a context the present one in the block.

    Afterwards the one before is put in place again. Taking the inner one off instead, as usual, fails where a generator
    that gRPC has dropped is closed by the event loop, in a context of its own.
    """
    from opentelemetry import context

    outer = context.get_current()
    context.attach(inner)
    try:
        yield
    finally:
        context.attach(outer)


def _exporting(endpoint: str) -> "SpanProcessor":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith(_INSECURE), timeout=EXPORT_SECONDS)
    return BatchSpanProcessor(exporter, schedule_delay_millis=1_000)


def _fail(current: "Span", error: Exception) -> None:
    from opentelemetry.trace import StatusCode

    current.set_status(StatusCode.ERROR)
    current.set_attribute("error.type", error.reason if isinstance(error, XmiradError) else type(error).__name__)
