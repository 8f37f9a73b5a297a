"""What the Qdrant client raises, as our errors. No message carries the store's own text, and none an API key."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from xmirad.archive.qdrant_statuses import about, translated
from xmirad.errors import BackendUnavailableError


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
        raise translated(error, archive) from error
    except ResourceExhaustedResponse as error:
        delay = float(error.retry_after_s)
        raise BackendUnavailableError(
            "the vector store asks to wait", metadata=about(archive), retry_delay_seconds=delay
        ) from error
