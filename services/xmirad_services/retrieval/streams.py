"""Answers the requests of a stream side by side, a bounded number at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from xmirad_services.retrieval.byte_budget import ByteBudget

Q = TypeVar("Q")
A = TypeVar("A")


async def answered(
    requests: AsyncIterator[Q],
    answer: Callable[[Q], Awaitable[A]],
    *,
    limit: int,
    size_of: Callable[[Q], int],
    budget: ByteBudget,
) -> AsyncIterator[A]:
    """Yield the answers as they come.

    A request is read only while fewer than `limit` are unanswered and the bytes of the one before fit into the budget,
    so that a fast sender is held back by the transport. What is still under way when the consumer stops or the requests
    break is cancelled.

    Args:
        requests: The requests; what it raises ends the stream.
        answer: Answers one request; must not raise.
        limit: Most requests under way.
        size_of: How many bytes a request holds.
        budget: Bytes that all streams together may have under way.
    """
    answers: asyncio.Queue[A | None] = asyncio.Queue()
    slots = asyncio.Semaphore(limit)
    running: set[asyncio.Task[None]] = set()

    async def one(request: Q) -> None:
        await answers.put(await answer(request))

    async def read() -> None:
        try:
            await slots.acquire()
            async for request in requests:
                taken = await budget.take(size_of(request))
                task = asyncio.create_task(one(request))
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(partial(_give_back, budget, taken))
                await slots.acquire()
            await asyncio.gather(*running)
        finally:
            await answers.put(None)

    reader = asyncio.create_task(read())
    try:
        while (outcome := await answers.get()) is not None:
            yield outcome
            slots.release()
        await reader
    finally:
        for task in (reader, *running):
            task.cancel()
        await asyncio.gather(reader, *running, return_exceptions=True)


def _give_back(budget: ByteBudget, taken: int, _task: asyncio.Task[None]) -> None:
    budget.give_back(taken)
