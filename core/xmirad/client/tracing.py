"""Passes the caller's trace on to the service, where the caller's program traces (OpenTelemetry); else does nothing."""

import sys

TRACES = "opentelemetry.trace"


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """Return what names the caller's trace in a call, W3C trace context, or nothing."""
    if TRACES not in sys.modules:  # a program that traces has imported it
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return tuple(carrier.items())
