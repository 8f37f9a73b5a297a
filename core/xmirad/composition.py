"""Builds stores and registries from settings, for the service and for offline commands alike.

Of the vector stores only the one in use is imported: Qdrant's client alone takes more than a second.
"""

import math
from functools import partial
from typing import TYPE_CHECKING

from xmirad.archive.port import ArchiveStore
from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.blobs.port import BlobStore
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.failpoints import Failpoint, FailpointName
from xmirad.home import Home
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.sandbox import DecoderPool
from xmirad.models.registry import ModelRegistry
from xmirad.secret_files import read_file, read_secret
from xmirad.settings import Settings, StoreKind, StoreSettings

if TYPE_CHECKING:
    from xmirad.archive.qdrant import QdrantStore


def blob_store(settings: Settings) -> BlobStore:
    """Open the blob store."""
    return open_blob_store(settings.blobs_url)


def catalog(settings: Settings, *, create: bool = False) -> Catalog:
    """Prepare the catalog, which is opened when it is first used.

    Args:
        settings: Where it is.
        create: Whether to make one if there is none and the blob store holds no images. Set it in the process that owns
            the data, under the home's service lock.

    Raises:
        InvalidRequestError: If the URL or the password's file cannot be used.
        BackendUnavailableError: If the catalog is missing although there are images, or its server does not answer.
    """
    url, file = settings.catalog.url, settings.catalog.password_file
    password = read_secret(file, setting="catalog.password_file") if file else None
    place = url.get_secret_value() if url else f"sqlite:///{Home(settings.home).catalog}"
    failpoint = Failpoint(settings.failpoint)
    die = partial(failpoint.reach, FailpointName.AFTER_STATEMENT)
    after_statement = die if failpoint.is_armed(FailpointName.AFTER_STATEMENT) else None
    database = Database(place, password=password, create=create, after_statement=after_statement)
    if create and database.is_missing() and next(blob_store(settings).list("inputs/"), None) is not None:
        message = (
            f"the catalog is missing ({database.description}), but the blob store holds images: "
            "put the catalog back from your backup, or correct catalog.url"
        )
        metadata = {"backend": "catalog", "cause": "MISSING"}
        raise BackendUnavailableError(message, field="catalog.url", metadata=metadata)
    return Catalog(database)


def archive_store(settings: Settings) -> ArchiveStore:
    """Open the vector store.

    Raises:
        ArchiveNotReadyError: If another process holds it.
        InvalidRequestError: If a file of its settings cannot be used.
    """
    store = settings.store
    if store.kind is StoreKind.EDGE:
        from xmirad.archive.edge import EdgeStore

        return EdgeStore(Home(settings.home).store, index=store.edge_index)
    return qdrant_store(store)


def qdrant_store(store: StoreSettings) -> "QdrantStore":
    """Prepare a connection to the Qdrant server.

    Raises:
        InvalidRequestError: If a file of its settings cannot be used.
    """
    from xmirad.archive.qdrant import QdrantStore

    options, seconds = store_tls(store), store.timeout_seconds
    return QdrantStore(store.url, api_key=store_api_key(store), grpc_options=options, timeout_seconds=seconds)


def store_api_key(store: StoreSettings) -> str | None:
    """Return the API key of the Qdrant server, if there is one.

    Raises:
        InvalidRequestError: If its file cannot be used.
    """
    if store.api_key_file is None:
        return store.api_key.get_secret_value() if store.api_key else None
    if store.api_key is not None:
        message = "store.api_key and store.api_key_file exclude each other"
        raise InvalidRequestError(message, field="store.api_key_file")
    return read_secret(store.api_key_file, setting="store.api_key_file")


def store_tls(store: StoreSettings) -> dict[str, str | int | bytes]:
    """Return the options of a TLS connection to the Qdrant server, where the settings say more than its URL.

    Raises:
        InvalidRequestError: If the file of certificates cannot be used.
    """
    if store.ca_file is None:
        return {}
    if not store.url.startswith("https://"):
        raise InvalidRequestError("store.ca_file needs a store.url that begins with https://", field="store.ca_file")
    return {"root_certificates": read_file(store.ca_file, setting="store.ca_file")}


def decoder_pool(settings: Settings, *, most_seconds: float = math.inf) -> DecoderPool:
    """Make the pool of decoder children, which are yet to be started.

    Args:
        settings: How many children, and what an image may cost.
        most_seconds: Wall-clock limit of an image, where that of the settings is longer.
    """
    limits = DecodeLimits(
        max_bytes=settings.limits.max_image_bytes,
        max_pixels=settings.limits.max_image_pixels,
        memory_bytes=settings.limits.decode_memory_bytes,
        wall_seconds=min(settings.limits.decode_seconds, most_seconds),
        cpu_seconds=settings.limits.decode_cpu_seconds,
        cpu_seconds_per_megapixel=settings.limits.decode_cpu_seconds_per_megapixel,
    )
    return DecoderPool(limits, children=settings.threads.decode_children)


def model_registry(settings: Settings) -> ModelRegistry:
    """Open the folder of models."""
    return ModelRegistry(settings.models_dir)
