"""Archives in a Qdrant server or cluster, over gRPC.

A collection is named `xmirad_{archive}_{creation}_{model}` with the first twelve characters of the model's digest, and
is always addressed by that name: whoever still knows a deleted archive finds nothing, never its successor's items. What
it is bound to is kept in the collection's metadata. Archive ids hold no underscore, so names take apart without doubt.
"""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient

from xmirad.archive import binding as bindings
from xmirad.archive.inspection import InspectedArchive
from xmirad.archive.port import ArchiveBinding
from xmirad.archive.qdrant_archive import QdrantArchive, create_collection, create_indexes
from xmirad.archive.qdrant_errors import qdrant_errors
from xmirad.archive.qdrant_inspection import inspect_collection
from xmirad.archive.qdrant_probe import DEFAULT_PORT

PREFIX = "xmirad"
DIGEST_CHARACTERS = 12
COLLECTION = re.compile(rf"{PREFIX}_[^_]+_([0-9a-f]{{32}})_[^_]*")
GRPC_OPTIONS: dict[str, str | int | bytes] = {"grpc.max_reconnect_backoff_ms": 5_000, "grpc.keepalive_time_ms": 60_000}
"""Set unless the settings say otherwise: find a server that came back within seconds, notice one that vanished."""

logger = logging.getLogger(__name__)


class QdrantStore:
    """The server store. Any number of processes and threads may use the same archives."""

    kind = "qdrant"
    beside = None
    """The server makes its graphs by itself."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        grpc_options: Mapping[str, str | int | bytes] | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        """Prepare a connection; the server is asked for nothing yet.

        Args:
            url: `http://host:port` or, for TLS, `https://host:port`, with the server's gRPC port (default 6334).
            api_key: Sent with every call.
            grpc_options: Channel arguments; for TLS also `root_certificates`, `private_key`, `certificate_chain` (PEM).
            timeout_seconds: How long to wait for an answer, rounded up to whole seconds.
        """
        address = urlsplit(url)
        secure = address.scheme == "https"
        if api_key is not None and not secure:
            logger.warning("qdrant.api_key_unencrypted")
        self._client = QdrantClient(
            host=address.hostname,
            grpc_port=address.port or DEFAULT_PORT,
            https=secure,
            prefer_grpc=True,
            check_compatibility=False,  # it would go over REST
            timeout=math.ceil(timeout_seconds),
            grpc_options=GRPC_OPTIONS | dict(grpc_options or {}),
            headers=None if api_key is None else {"api-key": api_key},
        )

    def create(self, binding: ArchiveBinding) -> QdrantArchive:
        """Create an archive, or open the one that is there; see `ArchiveStore.create`."""
        bindings.check_archive_id(binding.archive)
        name = collection_name(binding)
        with qdrant_errors(binding.archive):
            try:
                create_collection(self._client, name, binding, bindings.to_json(binding))
            except grpc.RpcError:
                if not self._client.collection_exists(name):  # else another process has created the same archive
                    raise
        return self.open(binding)

    def open(self, binding: ArchiveBinding) -> QdrantArchive:
        """Open an archive; see `ArchiveStore.open`."""
        bindings.check_archive_id(binding.archive)
        name = collection_name(binding)
        with qdrant_errors(binding.archive):
            found = self._client.get_collection(name)
        bindings.check_binding(bindings.from_json(binding.creation, found.config.metadata or {}), binding)
        with qdrant_errors(binding.archive):
            create_indexes(self._client, name, found.payload_schema)
        return QdrantArchive(binding, self._client, name)

    def list(self) -> list[str]:
        """Return the creations of all archives, sorted."""
        return sorted(creation for _, creation in self._collections())

    def drop(self, archive: str, creation: str) -> None:
        """Delete an archive; see `ArchiveStore.drop`."""
        bindings.check_archive_id(archive)
        bindings.check_creation(creation)
        names = [name for name, found in self._collections() if found == creation]
        with qdrant_errors(archive):
            for name in names:
                self._client.delete_collection(name)

    def reset(self, binding: ArchiveBinding) -> QdrantArchive:
        """Replace an archive by an empty one; see `ArchiveStore.reset`."""
        self.drop(binding.archive, binding.creation)
        return self.create(binding)

    def ping(self) -> None:
        """Ask the server for its version; see `ArchiveStore.ping`."""
        with qdrant_errors():
            self._client.info()

    def inspect(self) -> Sequence[InspectedArchive]:
        """Return what the collection of every archive says of itself, by creation.

        Raises:
            BackendUnavailableError: If the server does not answer.
        """
        found = sorted(self._collections(), key=lambda each: each[1])
        with qdrant_errors():
            return [inspect_collection(self._client, creation, name) for name, creation in found]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _collections(self) -> Sequence[tuple[str, str]]:
        """Return the names of our collections, each with its archive's creation."""
        with qdrant_errors():
            names = [each.name for each in self._client.get_collections().collections]
        return [(name, matched[1]) for name in names if (matched := COLLECTION.fullmatch(name))]


def collection_name(binding: ArchiveBinding) -> str:
    """Return the name of an archive's collection: no other archive, creation or model ever has the same."""
    bindings.check_creation(binding.creation)
    return f"{PREFIX}_{binding.archive}_{binding.creation}_{binding.model_digest[:DIGEST_CHARACTERS]}"
