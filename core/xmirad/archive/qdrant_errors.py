"""What the Qdrant client raises, as our errors. No message carries the store's own text, and none an API key."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

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


@contextmanager
def qdrant_errors(archive: str = "") -> Iterator[None]:
    """Translate the errors of calls that concern an archive, or the store as a whole.

    Raises:
        ArchiveNotFoundError: If the collection behind the archive is gone.
        BackendUnavailableError: If the server does not answer in time, or refuses the credentials.
        InternalError: If the server does not understand the request.
    """
    try:
        yield
    except grpc.RpcError as error:
        raise _translated(error, archive) from error
    except ResourceExhaustedResponse as error:
        delay = float(error.retry_after_s)
        raise BackendUnavailableError(
            "the vector store asks to wait", metadata=_metadata(archive), retry_delay_seconds=delay
        ) from error


def _translated(error: grpc.RpcError, archive: str) -> XmiradError:
    # The base class carries no code; what the client raises does.
    code: grpc.StatusCode = error.code() if hasattr(error, "code") else grpc.StatusCode.UNKNOWN
    metadata = _metadata(archive) | {"status": code.name}
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


def _metadata(archive: str) -> dict[str, str]:
    return {"backend": "qdrant"} | ({"archive": archive} if archive else {})
