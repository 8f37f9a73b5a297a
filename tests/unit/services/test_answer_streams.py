"""Answering a stream side by side: bounded, complete, and without leftovers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from xmirad_services.retrieval.byte_budget import ByteBudget
from xmirad_services.retrieval.streams import answered

LIMIT = 3
REQUESTS = 20
ROOMY = 1_000


def side_by_side(requests: AsyncIterator[int], answer: Callable[[int], Awaitable[int]]) -> AsyncIterator[int]:
    return answered(requests, answer, limit=LIMIT, size_of=lambda _: 1, budget=ByteBudget(ROOMY))


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

    answers = [each async for each in side_by_side(aiter(Source(REQUESTS)), answer)]
    assert sorted(answers) == [number * 10 for number in range(REQUESTS)]


async def test_an_empty_stream_has_no_answers() -> None:
    async def answer(request: int) -> int:
        return request

    assert [each async for each in side_by_side(aiter(Source(0)), answer)] == []


async def test_answers_do_not_wait_for_slower_ones_before_them() -> None:
    first_may_end = asyncio.Event()

    async def answer(request: int) -> int:
        if request == 0:
            await first_may_end.wait()
        return request

    stream = side_by_side(aiter(Source(LIMIT)), answer)
    assert {await anext(stream), await anext(stream)} == {1, 2}
    first_may_end.set()
    assert [each async for each in stream] == [0]


async def test_no_more_requests_are_read_than_may_be_unanswered() -> None:
    go, source = asyncio.Event(), Source(REQUESTS)

    async def answer(request: int) -> int:
        await go.wait()
        return request

    stream = side_by_side(aiter(source), answer)
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

    stream = side_by_side(aiter(Source(REQUESTS)), answer)
    assert await anext(stream) == 0
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert sorted(cancelled) == [1, 2]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_requests_that_break_end_the_stream_with_their_error() -> None:
    async def answer(request: int) -> int:
        return request

    stream = side_by_side(aiter(Source(REQUESTS, fail_at=2)), answer)
    with pytest.raises(ConnectionError):
        [each async for each in stream]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_more_bytes_are_under_way_than_the_budget_of_all_streams_allows() -> None:
    under_way, most = 0, 0

    async def answer(request: int) -> int:
        nonlocal under_way, most
        under_way += 40
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 40
        return request

    async def stream() -> list[int]:
        source = aiter(Source(REQUESTS))
        answers = answered(source, answer, limit=LIMIT, size_of=lambda _: 40, budget=budget)
        return sorted([each async for each in answers])

    budget = ByteBudget(100)
    assert list(await asyncio.gather(stream(), stream())) == [list(range(REQUESTS))] * 2
    assert most == 80


async def test_a_request_larger_than_the_budget_goes_alone() -> None:
    budget = ByteBudget(100)
    taken = await budget.take(1_000)
    waiting = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    assert (taken, waiting.done()) == (100, False)
    budget.give_back(taken)
    assert await waiting == 1


async def test_a_waiting_request_that_is_cancelled_takes_nothing() -> None:
    budget = ByteBudget(10)
    first = await budget.take(10)
    cancelled, patient = asyncio.create_task(budget.take(10)), asyncio.create_task(budget.take(10))
    await asyncio.sleep(0)
    cancelled.cancel()
    budget.give_back(first)
    assert await patient == 10
    assert cancelled.cancelled()


async def test_a_request_that_is_cancelled_as_its_turn_comes_gives_its_bytes_on() -> None:
    budget = ByteBudget(10)
    first = await budget.take(10)
    cancelled, patient = asyncio.create_task(budget.take(10)), asyncio.create_task(budget.take(10))
    await asyncio.sleep(0)
    budget.give_back(first)
    cancelled.cancel()
    assert await patient == 10
