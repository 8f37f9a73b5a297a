"""A service in memory behind a real gRPC server, with switches for what can go wrong.

It reads requests and writes errors by the same code as the real service, and answers in no time.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from support import fake_explanations, fake_imports, fake_messages
from support.fake_archives import FakeArchives
from xmirad.api.errors import REQUEST_ID_KEY, status_of, to_proto_error
from xmirad.api.v1 import (
    archive_service_pb2,
    explanation_service_pb2,
    model_service_pb2,
    retrieval_service_pb2,
    server_service_pb2,
)
from xmirad.errors import XmiradError

MAX_MESSAGE_BYTES = 64 << 20
IDLE_SECONDS = 0.005
MODULES = (
    archive_service_pb2,
    explanation_service_pb2,
    model_service_pb2,
    retrieval_service_pb2,
    server_service_pb2,
)
STREAMS: dict[str, tuple[Callable[[FakeArchives, Any], Any], Any, str]] = {
    "UploadItems": (
        lambda archives, request: fake_messages.CreateItem(archives, request, "").receipt,
        archive_service_pb2.UploadItemsResponse,
        "receipt",
    ),
    "StreamSearch": (
        lambda archives, request: fake_messages.Search(archives, request.search, ""),
        retrieval_service_pb2.StreamSearchResponse,
        "response",
    ),
}
WATCHES: dict[str, Callable[[FakeArchives, Any], Iterator[Any]]] = {
    "WatchExplanation": fake_explanations.watched,
    "WatchImport": fake_imports.watched,
}


@dataclass
class Switches:
    """What a test makes the service do, and what it saw.

    Attributes:
        failures: What the next calls of a method raise or end with, by method name.
        delay_seconds: How long a unary call takes.
        silent: Streams read, but do not answer.
        break_after: A stream is ended with UNAVAILABLE after this many answers.
        end_after: A stream is ended well after this many answers.
        foreign_answer: Streams answer under a correlation id that was never sent.
        calls: How often each method was called.
        request_ids: The request ids of the calls, in order.
        most_unanswered: Most requests of one stream that were read and not answered.
        ended: Set whenever a stream is over on the service's side.
    """

    failures: dict[str, list[XmiradError | grpc.StatusCode]] = field(default_factory=dict)
    delay_seconds: float = 0.0
    silent: bool = False
    break_after: int | None = None
    end_after: int | None = None
    foreign_answer: bool = False
    calls: dict[str, int] = field(default_factory=dict)
    request_ids: list[str] = field(default_factory=list)
    most_unanswered: int = 0
    tokens: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@dataclass
class FakeService:
    """The state behind the four services, and where they listen."""

    archives: FakeArchives = field(default_factory=FakeArchives)
    switches: Switches = field(default_factory=Switches)
    address: str = ""

    def enter(self, method: str, context: grpc.ServicerContext) -> str:
        """Note a call, fail it if it is to fail, and return its request id."""
        self.switches.calls[method] = self.switches.calls.get(method, 0) + 1
        request_id = dict(context.invocation_metadata()).get(REQUEST_ID_KEY, "")
        self.switches.request_ids.append(str(request_id))
        failures = self.switches.failures.get(method, [])
        if failures:
            failure = failures.pop(0)
            if isinstance(failure, grpc.StatusCode):
                context.abort(failure, "injected")
            raise failure
        return str(request_id)


def _unary(service: FakeService, method: str) -> Callable[[Any, grpc.ServicerContext], Any]:
    """Return the behavior of a method that the function of that name in the modules of answers has."""
    modules = (fake_messages, fake_explanations, fake_imports)
    answer: Callable[[FakeArchives, Any, str], Any] = next(
        getattr(module, method) for module in modules if hasattr(module, method)
    )

    def call(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401
        try:
            request_id = service.enter(method, context)
            time.sleep(service.switches.delay_seconds)
            return answer(service.archives, request, request_id)
        except XmiradError as error:
            context.abort_with_status(status_of(error, request_id_of(context)))

    return call


def _stream(service: FakeService, method: str) -> Callable[[Iterator[Any], grpc.ServicerContext], Iterator[Any]]:
    """Return the behavior of a stream that a function of `fake_messages` answers, and that outlives errors."""
    answer, response_type, outcome = STREAMS[method]

    def one(request: Any) -> Any:  # noqa: ANN401
        sent = "foreign" if service.switches.foreign_answer else request.correlation_id
        try:
            return response_type(correlation_id=sent, **{outcome: answer(service.archives, request)})
        except XmiradError as error:
            return response_type(correlation_id=sent, error=to_proto_error(error))

    return lambda requests, context: _answers(service, method, requests, context, one)


def _watch(service: FakeService, method: str) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
    """Return the behavior of a stream that shows something while it changes."""

    def watch(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: ANN401
        try:
            service.enter(method, context)
            service.switches.tokens.append(getattr(request, "resume_token", ""))
            for answered, answer in enumerate(WATCHES[method](service.archives, request)):
                if answered == service.switches.break_after:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "injected")
                yield answer
        except XmiradError as error:
            context.abort_with_status(status_of(error, request_id_of(context)))
        finally:
            service.switches.ended.set()

    return watch


def request_id_of(context: grpc.ServicerContext) -> str:
    return str(dict(context.invocation_metadata()).get(REQUEST_ID_KEY, ""))


def _answers(
    service: FakeService,
    method: str,
    requests: Iterator[Any],
    context: grpc.ServicerContext,
    answer: Callable[[Any], Any],
) -> Iterator[Any]:
    """Answer what has arrived, newest first, whenever nothing more arrives for a moment."""
    switches = service.switches
    try:
        service.enter(method, context)
        arrived: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=_read, args=(requests, arrived), daemon=True).start()
        pending: list[Any] = []
        answered, more = 0, True
        while (more or pending) and context.is_active():
            more = _gather(arrived, pending) and more
            switches.most_unanswered = max(switches.most_unanswered, len(pending))
            while pending and not switches.silent:
                if answered == switches.break_after:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "injected")
                if answered == switches.end_after:
                    return
                yield answer(pending.pop())
                answered += 1
    except XmiradError as error:
        context.abort_with_status(status_of(error, request_id_of(context)))
    finally:
        switches.ended.set()


def _read(requests: Iterator[Any], arrived: "queue.Queue[Any]") -> None:
    try:
        for request in requests:
            arrived.put(request)
    except grpc.RpcError:
        pass  # the caller is gone, which the handler sees by itself
    arrived.put(None)


def _gather(arrived: "queue.Queue[Any]", pending: list[Any]) -> bool:
    """Move what arrives into `pending` until nothing comes for a moment; return False when nothing more will come."""
    while True:
        try:
            request = arrived.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return True
        if request is None:
            return False
        pending.append(request)


def _handlers(service: FakeService, descriptor: ServiceDescriptor) -> grpc.GenericRpcHandler:
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in descriptor.methods:
        read = GetMessageClass(method.input_type).FromString
        write = GetMessageClass(method.output_type).SerializeToString
        if method.client_streaming:
            behavior = _stream(service, method.name)
            handlers[method.name] = grpc.stream_stream_rpc_method_handler(behavior, read, write)
        elif method.server_streaming:
            handlers[method.name] = grpc.unary_stream_rpc_method_handler(_watch(service, method.name), read, write)
        else:
            handlers[method.name] = grpc.unary_unary_rpc_method_handler(_unary(service, method.name), read, write)
    return grpc.method_handlers_generic_handler(descriptor.full_name, handlers)


@contextmanager
def fake_service(address: str = "127.0.0.1:0") -> Iterator[FakeService]:
    """Run a service with a model and no archives until the block ends."""
    service = FakeService()
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.so_reuseport", 0),
    ]
    with ThreadPoolExecutor(8) as threads:
        server = grpc.server(threads, options=options)
        for module in MODULES:
            for descriptor in module.DESCRIPTOR.services_by_name.values():
                server.add_generic_rpc_handlers((_handlers(service, descriptor),))
        port = server.add_insecure_port(address)
        service.address = f"{address.rpartition(':')[0]}:{port}"
        server.start()
        try:
            yield service
        finally:
            server.stop(None).wait()
