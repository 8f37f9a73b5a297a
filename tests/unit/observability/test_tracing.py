"""Traces: spans, what they say, and what goes from one process to another."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from xmirad.errors import InvalidImageError
from xmirad.observability.tracing import (
    SpanName,
    carried,
    continued,
    is_tracing,
    span,
    start_tracing,
    stop_tracing,
    trace_id,
)
from xmirad.settings import TracingSettings

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OFF = """
import sys
from xmirad.observability.tracing import SpanName, carried, continued, span, start_tracing, trace_id
from xmirad.settings import TracingSettings
start_tracing(TracingSettings(), process="retrieval", version="1")
with continued({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}), span(SpanName.DECODE):
    assert (carried(), trace_id()) == ({}, "")
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    start_tracing(TracingSettings(), process="retrieval", version="1", processor=SimpleSpanProcessor(exporter))
    yield exporter
    stop_tracing()


def test_while_it_is_off_nothing_is_imported_and_nothing_is_passed_on() -> None:
    subprocess.run([sys.executable, "-c", OFF], check=True)
    assert not is_tracing()


def test_spans_within_each_other_make_one_trace(exporter: InMemorySpanExporter) -> None:
    with span(SpanName.REQUEST, method="xmirad.v1.RetrievalService/Search"):
        outside = trace_id()
        with span(SpanName.SEARCH, top_k=10):
            assert trace_id() == outside
    search, request = exporter.get_finished_spans()
    assert search.parent is not None
    assert search.parent.span_id == request.context.span_id
    assert dict(search.attributes or {}) == {"xmirad.top_k": "10"}
    assert request.resource.attributes["service.name"] == "xmirad-retrieval"
    assert trace_id() == ""


def test_a_trace_goes_on_from_what_the_caller_sends(exporter: InMemorySpanExporter) -> None:
    with continued({"traceparent": f"00-{TRACE}-{PARENT}-01"}), span(SpanName.REQUEST):
        assert trace_id() == TRACE
        sent = carried()
    assert sent["traceparent"].startswith(f"00-{TRACE}-")
    [request] = exporter.get_finished_spans()
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT


@pytest.mark.parametrize("offered", ["", "PATIENT^NAME", "00-0-0-01", f"00-{TRACE}-{PARENT}"])
def test_what_is_no_trace_context_begins_a_new_trace(exporter: InMemorySpanExporter, offered: str) -> None:
    with continued({"traceparent": offered}), span(SpanName.REQUEST):
        assert trace_id() not in ("", TRACE)
    assert "PATIENT" not in exporter.get_finished_spans()[0].to_json()


def test_a_caller_that_does_not_want_a_trace_gets_none(exporter: InMemorySpanExporter) -> None:
    with continued({"traceparent": f"00-{TRACE}-{PARENT}-00"}), span(SpanName.REQUEST):
        pass
    assert exporter.get_finished_spans() == ()


def test_a_failure_is_marked_by_its_reason_and_not_by_its_message(exporter: InMemorySpanExporter) -> None:
    def fail(error: Exception) -> None:
        with span(SpanName.DECODE):
            raise error

    for error in (InvalidImageError("PATIENT^NAME.png is no image"), ValueError("PATIENT^NAME")):
        with pytest.raises(type(error)):
            fail(error)
    ours, foreign = exporter.get_finished_spans()
    assert (ours.attributes or {})["error.type"] == "IMAGE_UNDECODABLE"
    assert (foreign.attributes or {})["error.type"] == "ValueError"
    assert ours.status.status_code is StatusCode.ERROR
    assert "PATIENT" not in ours.to_json() + foreign.to_json()


def test_a_share_of_zero_traces_only_what_callers_trace(exporter: InMemorySpanExporter) -> None:
    settings = TracingSettings(share=0.0)
    start_tracing(settings, process="retrieval", version="1", processor=SimpleSpanProcessor(exporter))
    with span(SpanName.REQUEST):
        pass
    assert exporter.get_finished_spans() == ()
    with continued({"traceparent": f"00-{TRACE}-{PARENT}-01"}), span(SpanName.REQUEST):
        pass
    assert len(exporter.get_finished_spans()) == 1
