"""Bounds how many bytes of images the streams hold in memory."""

import asyncio
from collections import deque


class ByteBudget:
    """Bytes that may be under way at the same time, given out in the order of asking. Belongs to one event loop."""

    def __init__(self, total: int) -> None:
        """Give out at most `total` bytes."""
        self._total = total
        self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> int:
        """Wait until the bytes are free, and return how many to give back; a larger request takes the whole budget."""
        taken = min(size, self._total)
        if not self._waiting and taken <= self._free:
            self._free -= taken
            return taken
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((taken, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(taken)
            raise
        return taken

    def give_back(self, taken: int) -> None:
        """Return bytes, and wake those who wait for them."""
        self._free += taken
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)
