"""Memory for messages is taken before they are read, and shared between callers."""

import asyncio
from typing import Any, cast

import pytest

from xmirad.errors import OverloadedError
from xmirad_services.retrieval import message_budget
from xmirad_services.retrieval.message_budget import LARGEST_MESSAGES, MOST_OF_CALLER, MessageBudget

LARGEST = 1_000
SECONDS = 5.0


class Sender:
    """A call whose message comes when it is told to."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.is_read = False
        self.sent = asyncio.Event()

    async def read(self) -> bytes:
        self.is_read = True
        await self.sent.wait()
        return bytes(self.size)


async def call(budget: MessageBudget, sender: Sender, caller: str, ended: asyncio.Event) -> int:
    async with budget.message(cast("Any", sender), len, caller, seconds=SECONDS) as length:
        await ended.wait()
        return length


async def test_no_more_of_the_largest_are_read_than_there_is_room_for() -> None:
    budget, ended = MessageBudget(LARGEST), asyncio.Event()
    senders = [Sender(LARGEST) for _ in range(LARGEST_MESSAGES + 3)]
    calls = [asyncio.create_task(call(budget, each, str(number), ended)) for number, each in enumerate(senders)]
    for sender in senders:
        sender.sent.set()
    await asyncio.sleep(0.05)
    assert [sender.is_read for sender in senders] == [True] * LARGEST_MESSAGES + [False] * 3
    ended.set()
    assert await asyncio.gather(*calls) == [LARGEST] * len(senders)


async def test_short_messages_give_nearly_all_back_once_they_are_read() -> None:
    budget, ended = MessageBudget(LARGEST), asyncio.Event()
    senders = [Sender(1) for _ in range(10 * LARGEST_MESSAGES)]
    calls = [asyncio.create_task(call(budget, each, "one", ended)) for each in senders]
    for sender in senders:
        sender.sent.set()
    await asyncio.sleep(0.05)
    assert all(sender.is_read for sender in senders)
    ended.set()
    await asyncio.gather(*calls)


async def test_who_sends_slowly_keeps_out_no_other_caller() -> None:
    budget, ended = MessageBudget(LARGEST), asyncio.Event()
    ended.set()
    slow = [Sender(1) for _ in range(2 * LARGEST_MESSAGES)]
    held = [asyncio.create_task(call(budget, each, "slow", ended)) for each in slow]
    await asyncio.sleep(0.05)
    assert sum(each.is_read for each in slow) == MOST_OF_CALLER < LARGEST_MESSAGES
    quick = Sender(5)
    quick.sent.set()
    assert await call(budget, quick, "quick", ended) == 5
    for each in slow:
        each.sent.set()
    assert await asyncio.gather(*held) == [1] * len(slow)


async def test_who_finds_no_room_is_told_when_to_try_again_and_room_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_budget, "WAIT_SECONDS", 0.05)
    budget, ended = MessageBudget(LARGEST), asyncio.Event()
    held = [asyncio.create_task(call(budget, Sender(1), str(number), ended)) for number in range(LARGEST_MESSAGES)]
    await asyncio.sleep(0.01)
    for _ in range(3):
        with pytest.raises(OverloadedError) as caught:
            await call(budget, Sender(1), "late", ended)
        assert caught.value.retry_delay_seconds
    for task in held:  # callers that go away
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    ended.set()
    late = Sender(LARGEST)
    late.sent.set()
    assert await call(budget, late, "late", ended) == LARGEST
