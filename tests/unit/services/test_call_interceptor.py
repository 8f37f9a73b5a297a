"""What every call passes, without a server: request ids, overload, errors, metrics, and callers that go away."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
import pytest
from prometheus_client import CollectorRegistry

from support.doors import open_door
from xmirad.api.v1 import retrieval_service_pb2 as pb
from xmirad.errors import InternalError, InvalidRequestError
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.interceptors import CallInterceptor, as_domain_error, request_id

METHOD = "xmirad.v1.RetrievalService/Search"
UUID = "0123456789abcdef0123456789abcdef"
REQUEST = pb.SearchRequest(archive="archives/a", top_k=1).SerializeToString()


class AbortedError(Exception):
    """What the context raises to end a call."""


@dataclass(slots=True)
class FakeContext:
    """Remembers how a call ended."""

    offered: tuple[tuple[str, str], ...] = ()
    trailing: tuple[tuple[str, Any], ...] = ()
    code: grpc.StatusCode | None = None
    details: str = ""
    aborted: list[tuple[str, Any]] = field(default_factory=list)
    data: bytes = b""

    async def read(self) -> bytes:
        return self.data

    def peer(self) -> str:
        return "ipv4:127.0.0.1:50000"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.offered

    def set_trailing_metadata(self, metadata: tuple[tuple[str, Any], ...]) -> None:
        self.trailing = metadata

    def time_remaining(self) -> float | None:
        return None

    async def abort(self, code: grpc.StatusCode, details: str, trailing: tuple[tuple[str, Any], ...]) -> NoReturn:
        self.code, self.details, self.aborted = code, details, list(trailing)
        raise AbortedError(details)


@dataclass(frozen=True, slots=True)
class CallDetails:
    method: str = f"/{METHOD}"


@dataclass(slots=True)
class Desk:
    """An interceptor and what it counts."""

    registry: CollectorRegistry
    interceptor: CallInterceptor

    def count(self, code: str) -> float:
        return self.registry.get_sample_value("xmirad_requests_total", {"method": METHOD, "code": code}) or 0.0

    def in_flight(self) -> float:
        return self.registry.get_sample_value("xmirad_requests_in_flight", {"method": METHOD}) or 0.0

    async def unary(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        handler: Any = grpc.unary_unary_rpc_method_handler(behavior, pb.SearchRequest.FromString, None)
        wrapped = await self.interceptor.intercept_service(lambda _: _ready(handler), CallDetails())  # type: ignore[arg-type]

        async def call(data: bytes, context: FakeContext) -> Any:  # noqa: ANN401
            context.data = data
            [answer] = [answer async for answer in wrapped.stream_stream(messages(), context)]
            return answer

        return call

    async def stream(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        handler: Any = grpc.stream_stream_rpc_method_handler(behavior, pb.SearchRequest.FromString, None)
        wrapped = await self.interceptor.intercept_service(lambda _: _ready(handler), CallDetails())  # type: ignore[arg-type]
        call: Callable[..., Any] = wrapped.stream_stream
        return call


async def _ready(handler: Any) -> Any:  # noqa: ANN401
    return handler


async def messages(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


@pytest.fixture
def desk() -> Desk:
    registry = CollectorRegistry()
    metrics = RetrievalMetrics(registry, methods=[METHOD])
    return Desk(
        registry,
        CallInterceptor(metrics, open_door(), max_concurrent_requests=2, max_message_bytes=1 << 20, idle_seconds=0.2),
    )


@pytest.mark.parametrize(("offered", "kept"), [(UUID, True), ("erika-mustermann", False), ("", False)])
async def test_a_request_id_is_taken_over_only_if_it_can_name_nobody(desk: Desk, offered: str, kept: bool) -> None:
    seen: list[str] = []

    async def behavior(request: pb.SearchRequest, context: FakeContext) -> str:
        seen.append(request_id.get())
        return request.archive

    context = FakeContext(offered=(("x-request-id", offered),))
    assert await (await desk.unary(behavior))(REQUEST, context) == "archives/a"
    assert (seen[0] == offered) is kept
    assert dict(context.trailing) == {"x-request-id": seen[0]}
    assert desk.count("OK") == 1


async def test_an_error_of_ours_becomes_its_status(desk: Desk) -> None:
    async def behavior(request: pb.SearchRequest, context: FakeContext) -> None:
        raise InvalidRequestError("top_k must be at least 1", field="top_k")

    context = FakeContext()
    with pytest.raises(AbortedError):
        await (await desk.unary(behavior))(REQUEST, context)
    assert (context.code, context.details) == (grpc.StatusCode.INVALID_ARGUMENT, "top_k must be at least 1")
    assert "grpc-status-details-bin" in dict(context.aborted)
    assert (desk.count("INVALID_ARGUMENT"), desk.in_flight()) == (1, 0)


async def test_any_other_error_tells_the_caller_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async def behavior(request: pb.SearchRequest, context: FakeContext) -> None:
        raise KeyError("secret")

    context = FakeContext()
    with caplog.at_level(logging.ERROR), pytest.raises(AbortedError):
        await (await desk.unary(behavior))(REQUEST, context)
    assert context.code is grpc.StatusCode.INTERNAL
    assert "secret" not in context.details + json.dumps(str(context.aborted))
    assert desk.count("INTERNAL") == 1


def test_domain_errors_stay_as_they_are_and_others_become_internal() -> None:
    error = InvalidRequestError("no")
    assert as_domain_error(error) is error
    assert isinstance(as_domain_error(ValueError("secret")), InternalError)
    assert "secret" not in as_domain_error(ValueError("secret")).message


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x0a\x01\xff"], ids=["no message", "no UTF-8"])
async def test_bytes_that_cannot_be_read_are_the_callers_fault(desk: Desk, data: bytes) -> None:
    async def behavior(request: pb.SearchRequest, context: FakeContext) -> None:
        raise AssertionError("never called")

    context = FakeContext()
    with pytest.raises(AbortedError):
        await (await desk.unary(behavior))(data, context)
    assert context.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_calls_beyond_the_limit_are_refused_whatever_their_kind(desk: Desk) -> None:
    go = asyncio.Event()

    async def slow(request: pb.SearchRequest, context: FakeContext) -> str:
        await go.wait()
        return "done"

    async def behavior(requests: AsyncIterator[pb.SearchRequest], context: FakeContext) -> AsyncIterator[str]:
        async for request in requests:
            await go.wait()
            yield request.archive

    unary, stream = await desk.unary(slow), await desk.stream(behavior)
    first = asyncio.create_task(unary(REQUEST, FakeContext()))
    second = asyncio.ensure_future(anext(stream(messages(REQUEST), FakeContext())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for call in (unary(REQUEST, FakeContext()), anext(stream(messages(REQUEST), FakeContext()))):
        with pytest.raises(AbortedError, match="2 requests are under way"):
            await call
    go.set()
    assert (await first, await second) == ("done", "archives/a")
    assert desk.count("RESOURCE_EXHAUSTED") == 2
    assert await unary(REQUEST, FakeContext()) == "done"


async def test_a_cancelled_call_is_counted_as_such_and_makes_room(desk: Desk) -> None:
    async def behavior(request: pb.SearchRequest, context: FakeContext) -> None:
        await asyncio.Event().wait()

    unary = await desk.unary(behavior)
    for _ in range(5):
        call = asyncio.create_task(unary(REQUEST, FakeContext()))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert (desk.count("CANCELLED"), desk.in_flight()) == (5, 0)


async def test_a_stream_that_is_dropped_between_answers_ends_its_work_without_complaint(desk: Desk) -> None:
    """The server drops the generator while it waits at an answer; the event loop then closes it in another context."""
    ended = asyncio.Event()
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def behavior(requests: AsyncIterator[pb.SearchRequest], context: FakeContext) -> AsyncIterator[str]:
        try:
            async for request in requests:
                yield request.archive
        finally:
            ended.set()

    answers = (await desk.stream(behavior))(messages(REQUEST, REQUEST), FakeContext())
    assert await anext(answers) == "archives/a"
    del answers
    async with asyncio.timeout(1.0):
        await ended.wait()
    await asyncio.sleep(0.01)
    assert complaints == []
    assert desk.in_flight() == 0
    assert desk.count("CANCELLED") == 1
