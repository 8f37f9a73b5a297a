"""Builds stores and registries from settings, for the service and for offline commands alike."""

from xmirad.archive.edge import EdgeStore
from xmirad.archive.port import ArchiveStore
from xmirad.archive.qdrant import QdrantStore
from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.blobs.port import BlobStore
from xmirad.home import Home
from xmirad.models.registry import ModelRegistry
from xmirad.settings import Settings, StoreKind


def blob_store(settings: Settings) -> BlobStore:
    """Open the blob store."""
    return open_blob_store(settings.blobs_url)


def archive_store(settings: Settings) -> ArchiveStore:
    """Open the vector store.

    Raises:
        ArchiveNotReadyError: If another process holds it.
    """
    store = settings.store
    if store.kind is StoreKind.EDGE:
        return EdgeStore(Home(settings.home).store)
    api_key = store.api_key.get_secret_value() if store.api_key else None
    return QdrantStore(store.url, api_key=api_key, timeout_seconds=store.timeout_seconds)


def model_registry(settings: Settings) -> ModelRegistry:
    """Open the folder of models."""
    return ModelRegistry(settings.models_dir)
