"""The decoder pool as the requests of one event loop use it, each for its caller."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from xmirad.imaging.sandbox import Decoder, DecoderPool
from xmirad.lanes import Priority, Turns
from xmirad.types import EncodedImage

T = TypeVar("T")


def no_caller() -> str:
    """Return the account of a process whose images are not those of one caller."""
    return ""


class SharedDecoder:
    """Lets images wait for the pool's places by who asks for them. Belongs to one event loop."""

    def __init__(self, pool: DecoderPool, *, turns: Turns | None = None, caller: Callable[[], str] = no_caller) -> None:
        """Share a started pool.

        Args:
            pool: The children.
            turns: What background work shares with that of other lanes.
            caller: Returns whose request is being answered, from the context variables of whoever calls `run`.
        """
        self._pool = pool
        self._turns = turns
        self._caller = caller

    async def run(self, priority: Priority, image: EncodedImage, call: Callable[[Decoder], T]) -> T:
        """Call a function with a decoder for an image when it is its turn, in another thread, and await its result.

        It sees the caller's context variables, and may be called again from the start (see `DecoderPool.submit`).
        Cancelling withdraws it: if it has not begun, it costs its caller nothing.

        Raises:
            OverloadedError: If too many images of this caller wait.
            BackendUnavailableError: If the pool is closed, or the machine is too busy to decode the image in time.
        """
        if priority is Priority.INTERACTIVE or self._turns is None:
            return await self._run(priority, image, call)
        async with self._turns.one():
            return await self._run(priority, image, call)

    async def _run(self, priority: Priority, image: EncodedImage, call: Callable[[Decoder], T]) -> T:
        context = copy_context()
        ticket = self._pool.submit(
            lambda decoder: context.run(call, decoder), image, caller=self._caller(), priority=priority
        )
        try:
            return await asyncio.wrap_future(ticket.item.future)
        except asyncio.CancelledError:
            self._pool.withdraw(ticket)
            raise
