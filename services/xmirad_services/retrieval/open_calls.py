"""Calls that need no token (health). Strangers make them too, so that few are let in, and fewer are read at a time.

Each host has a share of its own: whoever fills it keeps out nobody but those on the same host.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import grpc

from xmirad.addresses import UNIX
from xmirad.api.errors import status_of
from xmirad.errors import OverloadedError, XmiradError
from xmirad_services.retrieval.received import only_message

MOST_CALLS, MOST_CALLS_OF_HOST = 256, 64  # most are watches, one for each client that follows the health
MOST_READ, MOST_READ_OF_HOST = 16, 4  # each may take `server.max_message_bytes` of memory until it is read
READ_SECONDS = 2.0
RETRY_SECONDS = 1.0


class OpenCalls:
    """Bounds open calls, except those over the home's socket, which strangers do not reach.

    Belongs to one event loop.
    """

    def __init__(self) -> None:
        """Begin without calls."""
        self._under_way = _Places(MOST_CALLS, MOST_CALLS_OF_HOST)
        self._read = _Places(MOST_READ, MOST_READ_OF_HOST)

    def guarded(self, handler: Any) -> Any:  # noqa: ANN401 - gRPC's own classes have no names
        """Return the handler of one message, bounded."""

        async def call(_received: Any, context: Any) -> None:  # noqa: ANN401
            peer: str = context.peer()
            is_stranger, host = not peer.startswith(UNIX), peer.rpartition(":")[0]
            try:
                with self._under_way.taken(host) if is_stranger else nullcontext():
                    with self._read.taken(host) if is_stranger else nullcontext():
                        request = await only_message(context, seconds=READ_SECONDS)
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
    def __init__(self, most: int, most_of_host: int) -> None:
        self._most = most
        self._most_of_host = most_of_host
        self._taken = Counter[str]()

    @contextmanager
    def taken(self, host: str) -> Iterator[None]:
        if self._taken[host] >= self._most_of_host or self._taken.total() >= self._most:
            limits = f"{self._most}, and {self._most_of_host} of a host"
            message = f"too many health calls are under way or being read; the limit is {limits}; try again later"
            raise OverloadedError(message, retry_delay_seconds=RETRY_SECONDS)
        self._taken[host] += 1
        try:
            yield
        finally:
            self._taken[host] -= 1
            if not self._taken[host]:
                del self._taken[host]
