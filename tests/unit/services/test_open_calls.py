"""Health is open to everyone, and no way in to the memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import grpc
import pytest

from xmirad_services.retrieval import open_calls
from xmirad_services.retrieval.open_calls import (
    MOST_CALLS,
    MOST_CALLS_OF_HOST,
    MOST_READ,
    MOST_READ_OF_HOST,
    OpenCalls,
)

HOST = "ipv4:10.0.0.9"
STRANGER, OWNER = f"{HOST}:1", "unix:"


class EndedError(Exception):
    """The call was aborted."""


class Context:
    """A call from somewhere."""

    def __init__(self, peer: str = STRANGER) -> None:
        self.address = peer
        self.code: grpc.StatusCode | None = None
        self.written: list[object] = []
        self.received: AsyncIterator[str] = one()

    async def read(self) -> str:
        return await anext(self.received)

    def peer(self) -> str:
        return self.address

    async def write(self, message: object) -> None:
        self.written.append(message)

    async def abort(self, code: grpc.StatusCode, details: str, trailing: object) -> None:
        self.code = code
        raise EndedError


async def one() -> AsyncIterator[str]:
    yield "which"


async def never() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


async def check(request: str, context: Context) -> str:
    return f"{request}: fine"


async def watch(request: str, context: Context) -> None:
    await context.write(request)
    await asyncio.Event().wait()


def guarded(
    calls: OpenCalls, *, watching: bool = False
) -> Callable[[AsyncIterator[str], Context], Coroutine[Any, Any, None]]:
    made: Any = grpc.unary_stream_rpc_method_handler if watching else grpc.unary_unary_rpc_method_handler
    handler = calls.guarded(made(watch if watching else check))

    async def call(received: AsyncIterator[str], context: Context) -> None:
        context.received = received
        await handler.stream_stream(None, context)

    return call


async def test_a_check_is_answered() -> None:
    context = Context()
    await guarded(OpenCalls())(one(), context)
    assert context.written == ["which: fine"]


@pytest.mark.parametrize(
    ("watching", "received", "most"),
    [(False, never, MOST_READ_OF_HOST), (True, one, MOST_CALLS_OF_HOST)],
    ids=["unsent", "watched"],
)
async def test_a_host_that_takes_its_share_keeps_out_nobody_else(watching: bool, received: Any, most: int) -> None:  # noqa: ANN401
    call = guarded(OpenCalls(), watching=watching)
    held = [asyncio.create_task(call(received(), Context())) for _ in range(most)]
    for _ in range(5):
        await asyncio.sleep(0)
    late = Context(f"{HOST}:2")
    with pytest.raises(EndedError):
        await call(one(), late)
    assert late.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    others = [Context(OWNER), Context("ipv4:10.0.0.8:1"), Context("ipv6:[fe80::1]:1")]
    asked = [asyncio.create_task(call(one(), other)) for other in others]
    await asyncio.sleep(0.01)
    assert all(other.written for other in others)
    for task in (*held, *asked):
        task.cancel()
    await asyncio.gather(*held, *asked, return_exceptions=True)


async def test_the_calls_of_all_strangers_are_bounded() -> None:
    call = guarded(OpenCalls(), watching=True)
    peers = [f"ipv4:10.0.{number // 8}.{number}:1" for number in range(MOST_CALLS)]
    held = [asyncio.create_task(call(one(), Context(peer))) for peer in peers]
    await asyncio.sleep(0.05)
    late = Context()
    with pytest.raises(EndedError):
        await call(one(), late)
    assert late.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)


async def test_a_check_that_does_not_come_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_calls, "READ_SECONDS", 0.05)
    call, context = guarded(OpenCalls()), Context()
    for _ in range(MOST_READ + 1):
        with pytest.raises(EndedError):
            await call(never(), context)
    assert context.code is grpc.StatusCode.UNAVAILABLE
