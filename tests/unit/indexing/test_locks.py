"""Keyed locks."""

import asyncio

from xmirad.indexing.locks import KeyedLocks


def test_holders_of_one_key_wait_for_each_other_and_others_do_not() -> None:
    async def run() -> list[str]:
        locks, order = KeyedLocks(), []

        async def hold(name: str, *keys: str) -> None:
            async with locks.holding(*keys):
                order.append(f"{name} begins")
                await asyncio.sleep(0.01)
                order.append(f"{name} ends")

        await asyncio.gather(hold("first", "a", "b"), hold("second", "b", "a"), hold("other", "c"))
        return order

    order = asyncio.run(run())
    assert order.index("first ends") < order.index("second begins")
    assert order.index("other begins") < order.index("first ends")


def test_locks_that_nobody_uses_are_forgotten() -> None:
    async def run() -> KeyedLocks:
        locks = KeyedLocks()
        async with locks.holding("a", "b", "a"):
            assert set(vars(locks)["_locks"]) == {"a", "b"}
        return locks

    assert vars(asyncio.run(run()))["_locks"] == {}
