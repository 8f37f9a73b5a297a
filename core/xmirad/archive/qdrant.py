"""Archives in a Qdrant server or cluster, over gRPC.

A collection is named `xmirad_{archive}_{model}_{version}` with the first twelve characters of the model's digest, and
the alias `xmirad_{archive}` points to the one in use. What it is bound to is kept in the collection's metadata. Archive
ids hold no underscore, so names take apart without doubt.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient, models

from xmirad.archive import binding as bindings
from xmirad.archive.inspection import InspectedArchive
from xmirad.archive.port import ArchiveBinding, StoredItem
from xmirad.archive.qdrant_archive import QdrantArchive, create_collection, create_indexes
from xmirad.archive.qdrant_errors import qdrant_errors
from xmirad.archive.qdrant_inspection import inspect_collection
from xmirad.archive.qdrant_probe import DEFAULT_PORT
from xmirad.errors import ArchiveNotFoundError

PREFIX = "xmirad"
DIGEST_CHARACTERS = 12
GRPC_OPTIONS: dict[str, str | int | bytes] = {"grpc.max_reconnect_backoff_ms": 5_000, "grpc.keepalive_time_ms": 60_000}
"""Set unless the settings say otherwise: find a server that came back within seconds, notice one that vanished."""

logger = logging.getLogger(__name__)


class QdrantStore:
    """The server store. Any number of processes and threads may use the same archives."""

    kind = "qdrant"

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
        with qdrant_errors(binding.archive):
            if self._current(binding.archive) is None:
                name = self._make(binding, version=1)
                self._switch(binding.archive, name, current=None)
        return self.open(binding)

    def open(self, binding: ArchiveBinding) -> QdrantArchive:
        """Open an archive; see `ArchiveStore.open`."""
        bindings.check_archive_id(binding.archive)
        with qdrant_errors(binding.archive):
            name = self._current(binding.archive)
            if name is None:
                message = "there is no archive of that name"
                raise ArchiveNotFoundError(message, metadata={"archive": binding.archive})
            metadata = self._client.get_collection(name).config.metadata
        bindings.check_binding(bindings.from_json(binding.archive, metadata or {}), binding)
        return QdrantArchive(binding, self._client, _alias(binding.archive))

    def list(self) -> list[str]:
        """Return the ids of all archives, sorted."""
        with qdrant_errors():
            aliases = self._client.get_aliases().aliases
        return sorted(
            alias.alias_name.removeprefix(f"{PREFIX}_")
            for alias in aliases
            if alias.alias_name.startswith(f"{PREFIX}_") and alias.collection_name.startswith(f"{alias.alias_name}_")
        )

    def drop(self, archive: str) -> None:
        """Delete an archive; see `ArchiveStore.drop`."""
        bindings.check_archive_id(archive)
        with qdrant_errors(archive):
            current = self._current(archive)
            # The one in use goes last and takes the alias with it, so a half-done drop can be repeated.
            for name in sorted(self._versions(archive), key=lambda version: version == current):
                self._client.delete_collection(name)

    def rebuilt(self, binding: ArchiveBinding, batches: Iterable[Sequence[StoredItem]]) -> QdrantArchive:
        """Fill a fresh collection and swap the alias to it; see `ArchiveStore.rebuilt`."""
        bindings.check_archive_id(binding.archive)
        with qdrant_errors(binding.archive):
            current = self._current(binding.archive)
            self._sweep(binding.archive, current)
            # Version 1 is what `create` makes, so a half-filled collection is never taken for a created one.
            name = self._make(binding, version=1 + (1 if current is None else int(current.rpartition("_")[2])))
            try:
                fresh = QdrantArchive(binding, self._client, name)
                for batch in batches:
                    fresh.upsert(batch)
            except BaseException:
                self._client.delete_collection(name)
                raise
            self._switch(binding.archive, name, current=current)
            self._sweep(binding.archive, name)
        return self.open(binding)

    def ping(self) -> None:
        """Ask the server for its version; see `ArchiveStore.ping`."""
        with qdrant_errors():
            self._client.info()

    def inspect(self) -> Sequence[InspectedArchive]:
        """Return what the collection of every archive says of itself, by id.

        Raises:
            BackendUnavailableError: If the server does not answer.
        """
        archives = self.list()
        with qdrant_errors():
            aliases = {alias.alias_name: alias.collection_name for alias in self._client.get_aliases().aliases}
            pairs = [(archive, aliases[_alias(archive)]) for archive in archives if _alias(archive) in aliases]
            return [inspect_collection(self._client, archive, name) for archive, name in pairs]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _current(self, archive: str) -> str | None:
        aliases = self._client.get_aliases().aliases
        return next((alias.collection_name for alias in aliases if alias.alias_name == _alias(archive)), None)

    def _versions(self, archive: str) -> Sequence[str]:
        collections = self._client.get_collections().collections
        return [each.name for each in collections if each.name.startswith(f"{_alias(archive)}_")]

    def _make(self, binding: ArchiveBinding, *, version: int) -> str:
        name = f"{_alias(binding.archive)}_{binding.model_digest[:DIGEST_CHARACTERS]}_{version}"
        try:
            create_collection(self._client, name, binding, bindings.to_json(binding))
        except grpc.RpcError:
            # Another process creates the same archive, or one died before it set the alias.
            if not self._client.collection_exists(name):
                raise
        create_indexes(self._client, name)
        return name

    def _switch(self, archive: str, name: str, *, current: str | None) -> None:
        alias = _alias(archive)
        delete = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
        create = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))
        # The operations of one call are applied as one.
        self._client.update_collection_aliases([create] if current is None else [delete, create])

    def _sweep(self, archive: str, current: str | None) -> None:
        for name in self._versions(archive):
            if name != current:
                self._client.delete_collection(name)


def _alias(archive: str) -> str:
    return f"{PREFIX}_{archive}"
