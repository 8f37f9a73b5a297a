"""Locks by name, for work that must not overlap on the same item or image."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class KeyedLocks:
    """One lock for each key in use. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin without locks."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def holding(self, *keys: str) -> AsyncIterator[None]:
        """Hold the locks of some keys; taken in sorted order, so that two holders cannot wait for each other."""
        if not keys:
            yield
            return
        first, *rest = sorted(set(keys))
        lock = self._locks.setdefault(first, asyncio.Lock())
        self._users[first] = self._users.get(first, 0) + 1
        try:
            async with lock, self.holding(*rest):
                yield
        finally:
            self._users[first] -= 1
            if not self._users[first]:
                del self._users[first], self._locks[first]
