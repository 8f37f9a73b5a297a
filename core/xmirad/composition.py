"""Builds stores and registries from settings, for the service and for offline commands alike."""

from xmirad.archive.edge import EdgeStore
from xmirad.archive.port import ArchiveStore
from xmirad.archive.qdrant import QdrantStore
from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.blobs.port import BlobStore
from xmirad.errors import InvalidRequestError
from xmirad.home import Home
from xmirad.models.registry import ModelRegistry
from xmirad.secret_files import read_file, read_secret
from xmirad.settings import Settings, StoreKind, StoreSettings


def blob_store(settings: Settings) -> BlobStore:
    """Open the blob store."""
    return open_blob_store(settings.blobs_url)


def archive_store(settings: Settings) -> ArchiveStore:
    """Open the vector store.

    Raises:
        ArchiveNotReadyError: If another process holds it.
        InvalidRequestError: If a file of its settings cannot be used.
    """
    store = settings.store
    if store.kind is StoreKind.EDGE:
        return EdgeStore(Home(settings.home).store)
    return QdrantStore(
        store.url, api_key=_api_key(store), grpc_options=_tls(store), timeout_seconds=store.timeout_seconds
    )


def _api_key(store: StoreSettings) -> str | None:
    if store.api_key_file is None:
        return store.api_key.get_secret_value() if store.api_key else None
    if store.api_key is not None:
        message = "store.api_key and store.api_key_file exclude each other"
        raise InvalidRequestError(message, field="store.api_key_file")
    return read_secret(store.api_key_file, setting="store.api_key_file")


def _tls(store: StoreSettings) -> dict[str, str | int | bytes]:
    if store.ca_file is None:
        return {}
    if not store.url.startswith("https://"):
        raise InvalidRequestError("store.ca_file needs a store.url that begins with https://", field="store.ca_file")
    return {"root_certificates": read_file(store.ca_file, setting="store.ca_file")}


def model_registry(settings: Settings) -> ModelRegistry:
    """Open the folder of models."""
    return ModelRegistry(settings.models_dir)
