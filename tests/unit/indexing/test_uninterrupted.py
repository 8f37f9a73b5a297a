"""Work that ends although its caller was cancelled."""

import asyncio

import pytest

from xmirad.indexing.uninterrupted import uninterrupted


async def test_results_and_errors_pass_through() -> None:
    async def fail() -> None:
        raise ValueError("no")

    assert await uninterrupted(asyncio.sleep(0, "yes")) == "yes"
    with pytest.raises(ValueError, match="no"):
        await uninterrupted(fail())


@pytest.mark.parametrize("cancellations", [1, 3])
async def test_a_cancelled_caller_waits_for_the_end(cancellations: int) -> None:
    go, ended = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        ended.append(True)

    caller = asyncio.create_task(uninterrupted(work()))
    for _ in range(cancellations):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == [True]


async def test_an_error_that_nobody_waits_for_is_not_reported_twice() -> None:
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()
        raise ValueError("no")

    caller = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0)
    caller.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
