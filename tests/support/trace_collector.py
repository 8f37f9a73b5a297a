"""A collector of traces: takes them over OTLP gRPC, as the real ones do, and keeps them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as pb_grpc


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has arrived.

    Attributes:
        service: Which kind of process it is of.
        name: Its name.
        trace: Id of its trace, hexadecimal.
        attributes: What it says.
    """

    service: str
    name: str
    trace: str
    attributes: dict[str, str]


class TraceCollector(pb_grpc.TraceServiceServicer):
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.spans: list[Span] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: ANN401 - generated without types
        for resource in request.resource_spans:
            service = _texts(resource.resource.attributes)["service.name"]
            self.spans += [
                Span(service, span.name, span.trace_id.hex(), _texts(span.attributes))
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        return pb.ExportTraceServiceResponse()

    def traces(self) -> dict[str, set[tuple[str, str]]]:
        """Return service and name of the spans of each trace."""
        traces: dict[str, set[tuple[str, str]]] = {}
        for span in list(self.spans):
            traces.setdefault(span.trace, set()).add((span.service, span.name))
        return traces


@contextmanager
def trace_collector() -> Iterator[TraceCollector]:
    """Yield a collector that listens; it ends with the block."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    collector = TraceCollector()
    pb_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


def _texts(attributes: Any) -> dict[str, str]:  # noqa: ANN401 - generated without types
    return {pair.key: pair.value.string_value for pair in attributes}
