"""What gRPC statuses of a Qdrant server mean, as our errors. No message carries the server's own text."""

import re

import grpc

from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError, InternalError, XmiradError

RETRY_DELAY_SECONDS = 1.0
HANDSHAKE = re.compile(r"certificate|handshake", re.IGNORECASE)

REFUSED = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
OUR_FAULT = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


def translated(error: grpc.RpcError, archive: str = "") -> XmiradError:
    """Return our error for one of a call that concerns an archive, or the store as a whole."""
    # The base class carries no code; what the client raises does.
    code: grpc.StatusCode = error.code() if hasattr(error, "code") else grpc.StatusCode.UNKNOWN
    metadata = about(archive) | {"status": code.name}
    if code is grpc.StatusCode.NOT_FOUND and archive:
        return ArchiveNotFoundError("there is no archive of that name", metadata={"archive": archive})
    if code in REFUSED:
        message = "the vector store refuses the service's credentials: see store.api_key_file"
        return BackendUnavailableError(message, metadata=metadata | {"cause": "CREDENTIALS_REFUSED"})
    if code is grpc.StatusCode.UNAVAILABLE and HANDSHAKE.search(_details(error)):
        message = "the certificate of the vector store is not trusted: see store.ca_file"
        return BackendUnavailableError(message, metadata=metadata | {"cause": "CERTIFICATE_REFUSED"})
    if code in OUR_FAULT:
        return InternalError("the vector store did not understand the service", metadata=metadata)
    message = "the vector store does not answer"
    return BackendUnavailableError(message, metadata=metadata, retry_delay_seconds=RETRY_DELAY_SECONDS)


def _details(error: grpc.RpcError) -> str:
    return (error.details() if hasattr(error, "details") else "") or ""


def about(archive: str = "") -> dict[str, str]:
    """Return the metadata of an error: which store, and which archive if it is about one."""
    return {"backend": "qdrant"} | ({"archive": archive} if archive else {})
