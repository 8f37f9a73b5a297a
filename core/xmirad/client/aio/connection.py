"""One asynchronous channel to a service; see `xmirad.client.connection`."""

from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from typing import Any, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from xmirad.client.calls import Call, Page
from xmirad.client.connection import called_error
from xmirad.client.credentials import NO_CREDENTIALS, Credentials
from xmirad.client.pages import following
from xmirad.client.service_config import channel_options
from xmirad.client.stubs import Stubs, stubs_of
from xmirad.errors import XmiradError

Value = TypeVar("Value")


class AioConnection:
    """A channel that raises the library's errors. Belongs to the event loop that it is made in."""

    def __init__(self, address: str, *, timeout_seconds: float, credentials: Credentials = NO_CREDENTIALS) -> None:
        """Prepare a connection; it is made with the first call.

        Args:
            address: Host and port, or `unix:` and a path.
            timeout_seconds: How long a single call may take, its retries included.
            credentials: What every call carries.

        Raises:
            InvalidRequestError: If the credentials cannot be used with this address.
        """
        self.address = address
        self.timeout_seconds = timeout_seconds
        self._credentials = credentials
        credentials.check(address)
        secure, options = credentials.channel(), channel_options(address)
        self._channel = (
            grpc.aio.insecure_channel(address, options=options)
            if secure is None
            else grpc.aio.secure_channel(address, secure, options=options)
        )
        self._stubs = stubs_of(self._channel)

    async def run(
        self, call: Call[Value], *, timeout_seconds: float | None = None, wait_for_ready: bool | None = None
    ) -> Value:
        """Return the answer to a call.

        Raises:
            XmiradError: As raised by the service; `BackendUnavailableError` where nothing answers.
            TimeoutError: If there is no answer in time.
        """
        request_id = uuid4().hex
        try:
            response = await call.method(self._stubs)(
                call.request,
                timeout=timeout_seconds or self.timeout_seconds,
                metadata=self._credentials.metadata(request_id),
                wait_for_ready=wait_for_ready,
            )
        except grpc.RpcError as error:
            raise self.error_of(error, request_id) from error
        return call.parse(response)

    async def entries(self, page: Callable[[str], Call[Page[Value]]]) -> AsyncIterator[Value]:
        """Yield the entries of all pages, fetching each when it is needed.

        Args:
            page: Returns the call for the page of a token.
        """
        token: str | None = ""
        while token is not None:
            fetched = await self.run(page(token))
            for entry in fetched.entries:
                yield entry
            token = following(token, fetched)

    def open(self, method: Callable[[Stubs], Any], sent: Message | AsyncIterator[Message], *, request_id: str) -> Any:  # noqa: ANN401 - gRPC has a class for each kind of stream
        """Open a stream without a deadline of its own. What it raises is for `error_of`."""
        return method(self._stubs)(sent, metadata=self._credentials.metadata(request_id))

    def error_of(self, rpc_error: grpc.RpcError, request_id: str) -> XmiradError | TimeoutError | CancelledError:
        """Return the error that a failed call stands for, with the request id that it was sent under."""
        return called_error(rpc_error, request_id, address=self.address)

    async def close(self) -> None:
        """Close the channel; calls that are under way are cancelled."""
        await self._channel.close()
