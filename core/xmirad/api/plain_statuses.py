"""What a call that failed without the service's own details means to its caller."""

import re
from concurrent.futures import CancelledError

import grpc

from xmirad.errors import (
    AccessDeniedError,
    BackendUnavailableError,
    InternalError,
    OverloadedError,
    PayloadTooLargeError,
    UnauthenticatedError,
    XmiradError,
)

TOO_LARGE = re.compile(r"message larger than max \((?P<bytes>\d+) vs\. (?P<limit>\d+)\)")
NOT_CONNECTED = re.compile(r"failed to connect|connection refused|name resolution|DNS resolution", re.IGNORECASE)
NO_TLS_BETWEEN = (
    (re.compile("CERTIFICATE_VERIFY_FAILED"), "The certificate of the service{at} is not trusted: see client.ca_file"),
    (re.compile("handshake failed", re.IGNORECASE), "What answers{at} does not speak TLS as client.ca_file asks for"),
    (
        re.compile(r"failed to connect.*Socket closed", re.DOTALL),
        "What answers{at} closes the connection: it may ask for TLS (client.ca_file) or for a client's certificate",
    ),
)
CANCELLED_HERE = re.compile(r"Locally cancelled|Channel closed")


def error_of_plain_status(
    code: grpc.StatusCode, details: str, *, address: str = ""
) -> XmiradError | TimeoutError | CancelledError:
    """Return the error for a status that gRPC itself, a proxy or a foreign server made."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimeoutError(f"{_service(address)} did not answer in time")
    if code is grpc.StatusCode.CANCELLED and CANCELLED_HERE.search(details):
        return CancelledError("The call was cancelled")
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return _unavailable(details, address)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _exhausted(details)
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return UnauthenticatedError(f"{_service(address)} asks for a token that it accepts")
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return AccessDeniedError(f"{_service(address)} does not allow this call")
    return _unexpected(code, details, address)


def _unexpected(code: grpc.StatusCode, details: str, address: str) -> InternalError:
    if code is grpc.StatusCode.UNIMPLEMENTED:
        message = f"{_service(address)} does not know this method; it is older than this client or no X-MIRAD service"
        return InternalError(message, metadata={"grpc_code": code.name})
    return InternalError(f"{_service(address)} answered {code.name}: {details}", metadata={"grpc_code": code.name})


def _service(address: str) -> str:
    return f"The service at {address}" if address else "The service"


def _unavailable(details: str, address: str) -> BackendUnavailableError:
    metadata = {"backend": "service"} | ({"address": address} if address else {})
    where = f" at {address}" if address else ""
    for pattern, message in NO_TLS_BETWEEN:
        if pattern.search(details):
            return BackendUnavailableError(message.format(at=where), metadata=metadata)
    if NOT_CONNECTED.search(details):
        return BackendUnavailableError(f"Nothing answers{where}; start it with `xmirad up`", metadata=metadata)
    return BackendUnavailableError(f"{_service(address)} broke the call off", metadata=metadata | {"details": details})


def _exhausted(details: str) -> PayloadTooLargeError | OverloadedError:
    too_large = TOO_LARGE.search(details)
    if too_large is None:
        return OverloadedError("The service accepts no more requests at the moment")
    size, limit = too_large["bytes"], too_large["limit"]
    message = f"The message has {size} bytes; at most {limit} are allowed"
    return PayloadTooLargeError(message, metadata={"message_bytes": size, "max_message_bytes": limit})
