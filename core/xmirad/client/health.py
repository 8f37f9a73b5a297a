"""Asks a service by the standard health protocol, `grpc.health.v1`, without its generated code."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from xmirad.addresses import UNIX
from xmirad.client.credentials import Credentials
from xmirad.errors import BackendUnavailableError

METHOD = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""HealthCheckResponse with status SERVING."""


def check_serving(address: str, credentials: Credentials, *, timeout_seconds: float) -> None:
    """Return if the service as a whole is served.

    Raises:
        BackendUnavailableError: If it is not, or nothing answers.
        InvalidRequestError: If a file of the credentials cannot be read.
    """
    with asking(address, credentials) as check:
        try:
            answer = check(b"", timeout=timeout_seconds)
        except grpc.RpcError as error:
            raise unhealthy(address) from error
    if answer != SERVING:
        message = f"the service at {address} says that it does not serve"
        raise BackendUnavailableError(message, metadata={"backend": "service", "address": address})


@contextmanager
def asking(address: str, credentials: Credentials) -> "Iterator[grpc.UnaryUnaryMultiCallable[bytes, bytes]]":
    """Yield what is called with a HealthCheckRequest and returns a HealthCheckResponse, both as bytes.

    The socket of a home is asked without TLS: only its owner reaches it.

    Raises:
        InvalidRequestError: If a file of the credentials cannot be read.
    """
    secure = None if address.startswith(UNIX) else credentials.channel()
    channel = grpc.insecure_channel(address) if secure is None else grpc.secure_channel(address, secure)
    with channel:
        yield channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)


def unhealthy(address: str) -> BackendUnavailableError:
    """Return the error for an address where nothing healthy answers."""
    message = f"nothing healthy answers at {address}"
    return BackendUnavailableError(message, metadata={"backend": "service", "address": address})
