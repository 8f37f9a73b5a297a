"""Blobs that carry their own checksum: those of an owner's prefix, which have no row of their own in the catalog."""

import hashlib

from xmirad.blobs.port import BlobStore
from xmirad.errors import EmbeddingCorruptError

CHECKSUM_BYTES = hashlib.sha256().digest_size


def put_sealed(blobs: BlobStore, key: str, data: bytes, *, if_absent: bool = False) -> None:
    """Store a blob with its SHA-256 behind it."""
    blobs.put(key, data + hashlib.sha256(data).digest(), if_absent=if_absent)


def get_sealed(blobs: BlobStore, key: str) -> bytes:
    """Return what `put_sealed` has stored.

    Raises:
        BlobNotFoundError: If there is none.
        EmbeddingCorruptError: If it is not what was stored.
        BackendUnavailableError: If the storage fails.
    """
    stored = blobs.get(key)
    data, checksum = stored[:-CHECKSUM_BYTES], stored[-CHECKSUM_BYTES:]
    if hashlib.sha256(data).digest() != checksum:
        raise EmbeddingCorruptError("a stored blob is not what was written", metadata={"blob": key})
    return data
