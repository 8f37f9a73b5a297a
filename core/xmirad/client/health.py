"""Asks a service by the standard health protocol, `grpc.health.v1`, without its generated code."""

import grpc

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
    secure = credentials.channel()
    channel = grpc.insecure_channel(address) if secure is None else grpc.secure_channel(address, secure)
    with channel:
        check = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
        try:
            answer = check(b"", timeout=timeout_seconds)
        except grpc.RpcError as error:
            message = f"nothing healthy answers at {address}"
            raise BackendUnavailableError(message, metadata={"backend": "service", "address": address}) from error
    if answer != SERVING:
        message = f"the service at {address} says that it does not serve"
        raise BackendUnavailableError(message, metadata={"backend": "service", "address": address})
