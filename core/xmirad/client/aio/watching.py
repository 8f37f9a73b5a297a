"""Watching over an asynchronous channel; see `xmirad.client.watching`."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc

from xmirad.client.aio.connection import AioConnection
from xmirad.client.watching import Update, Watch


async def updates(connection: AioConnection, watch: Watch[Update]) -> AsyncIterator[Update]:
    """Yield what changes until nothing more will change; streams that break are taken up again.

    Closing the iterator ends the stream.

    Raises:
        XmiradError: As raised by the service; `BackendUnavailableError` if it was not available for too long.
    """
    while True:
        request_id, pause = uuid4().hex, 0.0
        stream = connection.open(watch.method, watch.request(), request_id=request_id)
        try:
            while (message := await stream.read()) is not grpc.aio.EOF:
                yield watch.received(message)
            return
        except grpc.RpcError as rpc_error:
            pause = watch.pause_after(connection.error_of(rpc_error, request_id))
        finally:
            stream.cancel()
        await asyncio.sleep(pause)
