"""Calls that nobody attends are ended, wherever their task waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import grpc
import pytest
from prometheus_client import CollectorRegistry

from support.doors import PLENTY
from xmirad.access.authentication import REFUSED, Authenticator
from xmirad.access.caller import Caller, Scope
from xmirad.access.quotas import Quotas
from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.errors import BackendUnavailableError, UnauthenticatedError
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval import attendance
from xmirad_services.retrieval.attendance import attended
from xmirad_services.retrieval.door import Door
from xmirad_services.retrieval.interceptors import CallInterceptor

WATCH = "xmirad.v1.ExplanationService/WatchExplanation"
READER = Caller("reader", "north", frozenset({Scope.EXPLAIN}))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendance, "LOOK_SECONDS", 0.02)


def nothing() -> None:
    """Find nothing wrong."""


async def silent(idle_seconds: float) -> None:
    async with attended(nothing, idle_seconds=idle_seconds) as call:
        call.idles()
        await asyncio.sleep(5)


async def test_a_silent_call_ends_with_what_may_be_tried_again() -> None:
    began = time.monotonic()
    with pytest.raises(BackendUnavailableError, match=r"0\.1 s") as caught:
        await silent(0.1)
    assert 0.1 <= time.monotonic() - began < 1
    assert caught.value.retry_delay_seconds


async def test_a_call_that_is_used_or_at_work_goes_on() -> None:
    async with attended(nothing, idle_seconds=0.1) as call:
        for _ in range(8):
            call.idles()
            await asyncio.sleep(0.05)
        call.works()
        await asyncio.sleep(0.3)


async def test_a_time_limit_of_the_work_itself_stays_what_it_is() -> None:
    with pytest.raises(TimeoutError):
        async with attended(nothing, idle_seconds=5):
            await asyncio.wait_for(asyncio.sleep(5), 0.05)


async def test_a_call_that_is_cancelled_is_cancelled() -> None:
    async def call() -> None:
        async with attended(nothing, idle_seconds=5):
            await asyncio.sleep(5)

    task = asyncio.create_task(call())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Tokens:
    """Accepts the token `right`, as whomever it stands for at the time."""

    def __init__(self) -> None:
        self.caller: Caller | None = READER

    def caller_of(self, token: str) -> Caller | None:
        return self.caller if token == "right" else None


class EndedError(Exception):
    """The call was aborted."""


class Context:
    """A call with a token."""

    def __init__(self, *, is_stranger: bool = False) -> None:
        self.token = "wrong" if is_stranger else "right"
        self.code: grpc.StatusCode | None = None
        self.details = ""
        self.reads = 0

    async def read(self) -> bytes:
        self.reads += 1
        return b""

    def peer(self) -> str:
        return "ipv4:10.0.0.9:1"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)

    def set_trailing_metadata(self, metadata: object) -> None:
        """Take it."""

    async def abort(self, code: grpc.StatusCode, details: str, trailing: object) -> None:
        self.code, self.details = code, details
        raise EndedError


def interceptor(tokens: Tokens, *, limit: int = 1) -> CallInterceptor:
    door = Door(Authenticator([tokens]), Quotas(PLENTY), site="local")
    metrics = RetrievalMetrics(CollectorRegistry(), methods=[WATCH])
    return CallInterceptor(metrics, door, max_concurrent_requests=limit, max_message_bytes=1 << 20, idle_seconds=5.0)


async def nothing_iterated() -> AsyncIterator[bytes]:
    for each in list[bytes]():
        yield each


async def endless(request: object, context: object) -> AsyncIterator[str]:
    yield "first"
    await asyncio.sleep(5)
    yield "second"


def watch(surrounding: CallInterceptor, context: Context) -> AsyncIterator[Any]:
    read = cast("Callable[[bytes], Any]", pb.WatchExplanationRequest.FromString)
    return surrounding._watch(WATCH, endless, read)(nothing_iterated(), cast("Any", context))


@pytest.mark.parametrize(
    "later", [None, Caller("reader", "south", READER.scopes), Caller("reader", "north", frozenset())], ids=str
)
async def test_a_watch_that_waits_ends_when_its_token_stands_for_its_caller_no_longer(later: Caller | None) -> None:
    tokens, context = Tokens(), Context()
    answers = watch(interceptor(tokens), context)
    assert await anext(answers) == "first"
    tokens.caller = later
    began = time.monotonic()
    with pytest.raises(EndedError):
        await anext(answers)
    assert (context.code, context.details) == (grpc.StatusCode.UNAUTHENTICATED, REFUSED)
    assert time.monotonic() - began < 1


async def test_strangers_are_not_read_and_take_no_place() -> None:
    surrounding = interceptor(Tokens())
    strangers = [Context(is_stranger=True) for _ in range(3)]
    for stranger in strangers:
        with pytest.raises(EndedError):
            await anext(watch(surrounding, stranger))
    assert sum(stranger.reads for stranger in strangers) == 0
    assert {stranger.code for stranger in strangers} == {grpc.StatusCode.UNAUTHENTICATED}
    assert await anext(watch(surrounding, Context())) == "first"


async def test_calls_beyond_the_limit_are_refused_before_they_are_read() -> None:
    surrounding, late = interceptor(Tokens()), Context()
    first = watch(surrounding, Context())
    await anext(first)
    with pytest.raises(EndedError):
        await anext(watch(surrounding, late))
    assert late.reads == 0
    assert late.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_call_is_its_callers_as_long_as_the_token_says_so() -> None:
    tokens, context = Tokens(), cast("Any", Context())
    door = Door(Authenticator([tokens]), Quotas(PLENTY), site="local")
    door.check_again(READER, context)
    tokens.caller = None
    with pytest.raises(UnauthenticatedError):
        door.check_again(READER, context)
