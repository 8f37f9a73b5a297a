"""Calls that need no token (health). Strangers make them too, so that few are let in, and fewer are read at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import grpc

from xmirad.addresses import UNIX
from xmirad.api.errors import status_of
from xmirad.errors import OverloadedError, XmiradError
from xmirad_services.retrieval.received import only_message

MOST_CALLS = 256  # most are watches, one for each client that follows the health
MOST_READ = 8  # each may take `server.max_message_bytes` of memory until it is read
READ_SECONDS = 5.0
RETRY_SECONDS = 1.0


class OpenCalls:
    """Bounds open calls, except those over the home's socket, which strangers do not reach.

    Belongs to one event loop.
    """

    def __init__(self) -> None:
        """Begin without calls."""
        self._under_way = _Places(MOST_CALLS)
        self._read = _Places(MOST_READ)

    def guarded(self, handler: Any) -> Any:  # noqa: ANN401 - gRPC's own classes have no names
        """Return the handler of one message, bounded."""

        async def call(received: Any, context: Any) -> None:  # noqa: ANN401
            is_stranger = not context.peer().startswith(UNIX)
            try:
                with self._under_way.taken() if is_stranger else nullcontext():
                    with self._read.taken() if is_stranger else nullcontext():
                        request = await only_message(received, seconds=READ_SECONDS)
                    if handler.unary_unary:
                        await context.write(await handler.unary_unary(request, context))
                    else:
                        await handler.unary_stream(request, context)  # gRPC's health writes to the context by itself
            except XmiradError as error:
                status = status_of(error, "")
                await context.abort(status.code, status.details, status.trailing_metadata)

        read, write = handler.request_deserializer, handler.response_serializer
        return grpc.stream_stream_rpc_method_handler(call, request_deserializer=read, response_serializer=write)


class _Places:
    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        if self._taken >= self._most:
            message = f"{self._most} health calls are under way or being read, which is the limit; try again later"
            raise OverloadedError(message, retry_delay_seconds=RETRY_SECONDS)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
