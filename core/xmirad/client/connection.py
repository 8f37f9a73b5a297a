"""One channel to a service: deadlines, request ids, and errors of calls turned into the library's."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Protocol, TypeVar
from uuid import uuid4

import grpc

from xmirad.api.errors import error_of
from xmirad.client.calls import Call, Page
from xmirad.client.credentials import NO_CREDENTIALS, Credentials
from xmirad.client.pages import entries_of_pages
from xmirad.client.service_config import channel_options
from xmirad.client.stubs import Stubs, stubs_of
from xmirad.errors import BackendUnavailableError, XmiradError

Request = TypeVar("Request")
Response = TypeVar("Response")
Value = TypeVar("Value")
Received_co = TypeVar("Received_co", covariant=True)


def not_ready(address: str, seconds: float) -> BackendUnavailableError:
    """Return the error for a service that does not answer within the time it was given."""
    message = f"Nothing answers at {address} after {seconds:g} s; start it with `xmirad up`"
    return BackendUnavailableError(message, metadata={"backend": "service", "address": address})


def called_error(
    rpc_error: grpc.RpcError, request_id: str, *, address: str
) -> XmiradError | TimeoutError | CancelledError:
    """Return the error that a failed call stands for, with the request id that it was sent under."""
    error = error_of(rpc_error, address=address)
    if isinstance(error, XmiradError):
        error.metadata.setdefault("request_id", request_id)
    else:
        error.add_note(f"request id {request_id}")
    return error


class StreamCall(Protocol[Received_co]):
    """An open stream."""

    def __next__(self) -> Received_co:
        """Wait for the next answer."""

    def cancel(self) -> bool | None:
        """Break it off."""


class Connection:
    """A channel that raises the library's errors. Safe to use from several threads."""

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
            grpc.insecure_channel(address, options=options)
            if secure is None
            else grpc.secure_channel(address, secure, options=options)
        )
        self._stubs = stubs_of(self._channel)

    def run(
        self, call: Call[Value], *, timeout_seconds: float | None = None, wait_for_ready: bool | None = None
    ) -> Value:
        """Return the answer to a call.

        Raises:
            XmiradError: As raised by the service; `BackendUnavailableError` where nothing answers.
            TimeoutError: If there is no answer in time.
            CancelledError: If the connection was closed meanwhile.
        """
        request_id = uuid4().hex
        try:
            response = call.method(self._stubs)(
                call.request,
                timeout=timeout_seconds or self.timeout_seconds,
                metadata=self._credentials.metadata(request_id),
                wait_for_ready=wait_for_ready,
            )
        except grpc.RpcError as error:
            raise self.error_of(error, request_id) from error
        return call.parse(response)

    def entries(self, page: Callable[[str], Call[Page[Value]]]) -> Iterator[Value]:
        """Yield the entries of all pages, fetching each when it is needed.

        Args:
            page: Returns the call for the page of a token.
        """
        return entries_of_pages(lambda token: self.run(page(token)))

    def stream(
        self,
        method: "Callable[[Stubs], grpc.StreamStreamMultiCallable[Request, Response]]",
        requests: Iterator[Request],
        *,
        request_id: str,
    ) -> StreamCall[Response]:
        """Open a stream without a deadline of its own. What it raises is for `error_of`."""
        return method(self._stubs)(requests, metadata=self._credentials.metadata(request_id))

    def watch(
        self,
        method: "Callable[[Stubs], grpc.UnaryStreamMultiCallable[Request, Response]]",
        request: Request,
        *,
        request_id: str,
    ) -> StreamCall[Response]:
        """Open a stream of answers to one request, as `stream` does."""
        return method(self._stubs)(request, metadata=self._credentials.metadata(request_id))

    def error_of(self, rpc_error: grpc.RpcError, request_id: str) -> XmiradError | TimeoutError | CancelledError:
        """Return the error that a failed call stands for, with the request id that it was sent under."""
        return called_error(rpc_error, request_id, address=self.address)

    def close(self) -> None:
        """Close the channel; calls that are under way are cancelled."""
        self._channel.close()
