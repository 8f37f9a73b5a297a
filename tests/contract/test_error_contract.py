"""Errors over a real connection: what the service raises is what the caller gets."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # has stubs, but no py.typed
from grpc_status import rpc_status

from support.errors import concrete_errors, example_of
from xmirad.api.errors import ROWS, Detail, error_of, status_of
from xmirad.api.v1.server_service_pb2 import GetServerInfoRequest, GetServerInfoResponse
from xmirad.api.v1.server_service_pb2_grpc import (
    ServerServiceServicer,
    ServerServiceStub,
    add_ServerServiceServicer_to_server,
)
from xmirad.errors import (
    AccessDeniedError,
    BackendUnavailableError,
    InternalError,
    InvalidRequestError,
    OverloadedError,
    PayloadTooLargeError,
    UnauthenticatedError,
    XmiradError,
)

Behavior = Callable[[grpc.ServicerContext], None]


@dataclass
class Loopback(ServerServiceServicer):
    """A service whose only method does as told."""

    behavior: Behavior = lambda context: None
    stub: ServerServiceStub = field(init=False)
    port: int = field(init=False)

    def GetServerInfo(self, request: GetServerInfoRequest, context: Any) -> GetServerInfoResponse:  # noqa: ANN401
        self.behavior(context)
        return GetServerInfoResponse()

    def fail(self, behavior: Behavior, **options: Any) -> grpc.RpcError:  # noqa: ANN401 - gRPC's own call options
        self.behavior = behavior
        with pytest.raises(grpc.RpcError) as caught:
            self.stub.GetServerInfo(GetServerInfoRequest(), **options)
        return caught.value

    def fail_with(self, error: XmiradError) -> grpc.RpcError:
        return self.fail(lambda context: context.abort_with_status(status_of(error, "r-1")))


def send(channel: grpc.Channel, method: str, data: bytes) -> None:
    """Send bytes that no stub would send."""
    call: Any = channel.unary_unary(method)
    call(data)


@pytest.fixture(scope="module")
def loopback() -> Iterator[Loopback]:
    service = Loopback()
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", 1000)])
    add_ServerServiceServicer_to_server(service, server)
    service.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        service.stub = ServerServiceStub(channel)
        yield service
    server.stop(None).wait()


@pytest.mark.parametrize("error_class", concrete_errors())
def test_the_caller_gets_the_error_that_the_service_raised(loopback: Loopback, error_class: type[XmiradError]) -> None:
    error = example_of(error_class)

    received = error_of(loopback.fail_with(error))

    assert type(received) is error_class
    assert str(received) == error.message
    assert received.field == error.field
    assert received.metadata == error.metadata | {"request_id": "r-1"}
    assert received.retry_delay_seconds == error.retry_delay_seconds


@pytest.mark.parametrize("error_class", concrete_errors())
def test_a_foreign_client_finds_the_standard_details(loopback: Loopback, error_class: type[XmiradError]) -> None:
    rpc_error: Any = loopback.fail_with(example_of(error_class))

    status = rpc_status.from_call(rpc_error)
    assert status is not None
    kinds = {detail.TypeName().removeprefix("google.rpc.") for detail in status.details}

    subject = {Detail.NONE: set(), Detail.RESOURCE: {"ResourceInfo"}, Detail.PRECONDITION: {"PreconditionFailure"}}
    assert kinds == {"ErrorInfo", "BadRequest", "RetryInfo"} | subject[ROWS[error_class].detail]
    assert rpc_error.code().name == error_class.code.value
    assert dict(rpc_error.trailing_metadata())["x-request-id"] == "r-1"


def test_a_missing_resource_is_named(loopback: Loopback) -> None:
    error = example_of(next(error for error in concrete_errors() if error.__name__ == "ModelNotFoundError"))
    rpc_error: Any = loopback.fail_with(error)
    status = rpc_status.from_call(rpc_error)
    assert status is not None
    info = error_details_pb2.ResourceInfo()

    assert any(detail.Unpack(info) for detail in status.details)
    assert (info.resource_type, info.resource_name) == ("xmirad.v1.Model", "m")


def test_an_error_with_far_too_much_to_say_still_arrives_as_itself(loopback: Loopback) -> None:
    metadata = {f"key-{number}": "värde " * 5000 for number in range(20)}
    error = InvalidRequestError("Ö" * 100_000, field="f" * 100_000, metadata=metadata, retry_delay_seconds=0.1)

    received = error_of(loopback.fail_with(error))

    assert isinstance(received, InvalidRequestError)
    assert received.message.startswith("ÖÖÖ")
    assert received.message.endswith("…")
    assert received.metadata.keys() == metadata.keys() | {"request_id"}


def test_a_passed_deadline_is_a_timeout(loopback: Loopback) -> None:
    def sleep(context: grpc.ServicerContext) -> None:
        while context.is_active():
            pass

    error = error_of(loopback.fail(sleep, timeout=0.05), address="127.0.0.1:1")

    assert isinstance(error, TimeoutError)
    assert "127.0.0.1:1" in str(error)


def test_a_call_that_the_caller_cancelled_is_cancelled(loopback: Loopback) -> None:
    def sleep(context: grpc.ServicerContext) -> None:
        while context.is_active():
            pass

    loopback.behavior = sleep
    call: Any = loopback.stub.GetServerInfo.future(GetServerInfoRequest())
    call.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()

    assert isinstance(error_of(call), CancelledError)


def test_a_call_that_the_service_cancelled_is_unavailable(loopback: Loopback) -> None:
    error = error_of(loopback.fail(lambda context: context.abort(grpc.StatusCode.CANCELLED, "going down")))

    assert isinstance(error, BackendUnavailableError)
    assert error.metadata == {"backend": "service", "details": "going down"}


def test_where_nothing_answers_the_error_says_what_to_do() -> None:
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as caught:
        ServerServiceStub(channel).GetServerInfo(GetServerInfoRequest())

    error = error_of(caught.value, address="127.0.0.1:1")

    assert isinstance(error, BackendUnavailableError)
    assert str(error) == "Nothing answers at 127.0.0.1:1; start it with `xmirad up`"
    assert error.metadata == {"backend": "service", "address": "127.0.0.1:1"}


def test_a_message_beyond_the_limit_is_too_large(loopback: Loopback) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{loopback.port}") as channel, pytest.raises(grpc.RpcError) as caught:
        send(channel, "/xmirad.v1.ServerService/GetServerInfo", b"x" * 5000)

    error = error_of(caught.value)

    assert isinstance(error, PayloadTooLargeError)
    assert error.metadata == {"message_bytes": "5000", "max_message_bytes": "1000"}


def test_a_full_service_is_overloaded(loopback: Loopback) -> None:
    def refuse(context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")

    assert isinstance(error_of(loopback.fail(refuse)), OverloadedError)


def test_an_unknown_method_is_explained(loopback: Loopback) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{loopback.port}") as channel, pytest.raises(grpc.RpcError) as caught:
        send(channel, "/xmirad.v1.ServerService/FromTheFuture", b"")

    error = error_of(caught.value)

    assert isinstance(error, InternalError)
    assert error.metadata == {"grpc_code": "UNIMPLEMENTED"}
    assert "older than this client" in error.message


def test_any_other_status_keeps_its_words(loopback: Loopback) -> None:
    error = error_of(loopback.fail(lambda context: context.abort(grpc.StatusCode.OUT_OF_RANGE, "too far")))

    assert isinstance(error, InternalError)
    assert error.message == "The service answered OUT_OF_RANGE: too far"


def test_a_proxy_that_asks_for_credentials_is_told_apart(loopback: Loopback) -> None:
    refused = error_of(loopback.fail(lambda context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")))
    denied = error_of(loopback.fail(lambda context: context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")))

    assert isinstance(refused, UnauthenticatedError)
    assert isinstance(denied, AccessDeniedError)
