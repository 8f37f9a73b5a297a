"""Answering a stream side by side: bounded, complete, and without leftovers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from xmirad_services.retrieval.streams import answered

LIMIT = 3
REQUESTS = 20


class Source:
    """Requests that count how many were read."""

    def __init__(self, count: int, *, fail_at: int | None = None) -> None:
        self.read = 0
        self._count = count
        self._fail_at = fail_at

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self._count):
            if number == self._fail_at:
                raise ConnectionError("the caller is gone")
            self.read += 1
            yield number


async def test_every_request_is_answered_once() -> None:
    async def answer(request: int) -> int:
        await asyncio.sleep(0.001 * (request % 3))
        return request * 10

    answers = [each async for each in answered(aiter(Source(REQUESTS)), answer, limit=LIMIT)]
    assert sorted(answers) == [number * 10 for number in range(REQUESTS)]


async def test_an_empty_stream_has_no_answers() -> None:
    async def answer(request: int) -> int:
        return request

    assert [each async for each in answered(aiter(Source(0)), answer, limit=LIMIT)] == []


async def test_answers_do_not_wait_for_slower_ones_before_them() -> None:
    first_may_end = asyncio.Event()

    async def answer(request: int) -> int:
        if request == 0:
            await first_may_end.wait()
        return request

    stream = answered(aiter(Source(LIMIT)), answer, limit=LIMIT)
    assert {await anext(stream), await anext(stream)} == {1, 2}
    first_may_end.set()
    assert [each async for each in stream] == [0]


async def test_no_more_requests_are_read_than_may_be_unanswered() -> None:
    go, source = asyncio.Event(), Source(REQUESTS)

    async def answer(request: int) -> int:
        await go.wait()
        return request

    stream = answered(aiter(source), answer, limit=LIMIT)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    assert source.read == LIMIT
    go.set()
    await first
    await asyncio.sleep(0.01)
    assert source.read == LIMIT  # an answer is given when the next one is asked for
    assert len([each async for each in stream]) == REQUESTS - 1


async def test_a_consumer_that_stops_cancels_what_is_under_way() -> None:
    cancelled: list[int] = []

    async def answer(request: int) -> int:
        if request == 0:
            return request
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(request)
            raise
        return request

    stream = answered(aiter(Source(REQUESTS)), answer, limit=LIMIT)
    assert await anext(stream) == 0
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert sorted(cancelled) == [1, 2]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_requests_that_break_end_the_stream_with_their_error() -> None:
    async def answer(request: int) -> int:
        return request

    stream = answered(aiter(Source(REQUESTS, fail_at=2)), answer, limit=LIMIT)
    with pytest.raises(ConnectionError):
        [each async for each in stream]
    assert asyncio.all_tasks() == {asyncio.current_task()}
