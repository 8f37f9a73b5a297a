"""Bounds the bytes that the messages of calls with one message hold in memory, from before they are read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import grpc

from xmirad.errors import OverloadedError
from xmirad_services.retrieval.byte_budget import ByteBudget
from xmirad_services.retrieval.received import only_message

LARGEST_MESSAGES = 4
"""So many messages of the largest size are held at a time; each is in memory about four times until it is decoded."""
MOST_OF_CALLER = 2
"""So many of them may be one caller's while they are read, so that slow senders do not keep out the others."""
Message = TypeVar("Message")
WAIT_SECONDS = 5.0
RETRY_SECONDS = 1.0


class MessageBudget:
    """Memory for messages. Belongs to one event loop.

    How long a message is is not known before it is read, so room for the largest is taken until then. A short one gives
    nearly all of it back within a millisecond.
    """

    def __init__(self, largest: int) -> None:
        """Allow messages of at most `largest` bytes."""
        self._largest = largest
        self._budget = ByteBudget(LARGEST_MESSAGES * largest)
        self._places = WeakValueDictionary[str, asyncio.Semaphore]()

    @asynccontextmanager
    async def message(
        self,
        context: grpc.aio.ServicerContext[Any, Any],
        read: Callable[[bytes], Message],
        caller: str,
        *,
        seconds: float,
    ) -> AsyncIterator[Message]:
        """Receive the message of a call, and hold its memory for the length of the block.

        Raises:
            OverloadedError: If there is no room for it, even after a while.
            BackendUnavailableError: If it takes longer than so many seconds.
            InvalidRequestError: If there is none.
        """
        place = self._places.setdefault(caller, asyncio.Semaphore(MOST_OF_CALLER))
        held = 0
        try:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await place.acquire()
                    try:
                        held = await self._budget.take(self._largest)
                    except BaseException:
                        place.release()
                        raise
            except TimeoutError as error:
                message = "other messages take all the memory that there is for them; try again later"
                raise OverloadedError(message, retry_delay_seconds=RETRY_SECONDS) from error
            try:
                data = await only_message(context, seconds=seconds)
            finally:
                place.release()
            spare = held - min(held, len(data))
            self._budget.give_back(spare)
            held -= spare
            found = read(data)
            del data  # or it would be there as long as what was read from it
            yield found
        finally:
            self._budget.give_back(held)
