"""Reads the messages of a call, once its caller is let in.

gRPC would read the message of a call before anybody is asked who calls: strangers could fill the memory.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from xmirad.errors import InvalidRequestError
from xmirad_services.retrieval.attendance import Attendance, silence

Read = Callable[[bytes], Any]


async def only_message(context: grpc.aio.ServicerContext[Any, Any], *, seconds: float) -> Any:  # noqa: ANN401
    """Return the message of a call that has one, as bytes or as its method reads it.

    It is not iterated over: what gRPC iterates with keeps the message until garbage is collected.

    Raises:
        BackendUnavailableError: If it takes longer than so many seconds.
        InvalidRequestError: If there is none.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            message = await context.read()
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise silence(seconds) from error
    if message is grpc.aio.EOF:
        raise InvalidRequestError("the call has no message")
    return message


async def noted(received: AsyncIterable[Any], attendance: Attendance) -> AsyncIterator[Any]:
    """Yield what comes, and say so."""
    async for message in received:
        attendance.idles()
        yield message


def decoded(read: Read, data: bytes) -> Any:  # noqa: ANN401 - each method has its own class
    """Return a message.

    Raises:
        InvalidRequestError: If the bytes are none.
    """
    try:
        return read(data)
    except DecodeError as error:
        raise InvalidRequestError("the bytes are no message of this method, or its texts are not UTF-8") from error
