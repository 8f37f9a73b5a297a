"""How a chunk of masked embeddings lies in a blob: a header, a checksum, the coded differences."""

import hashlib
import struct

from xmirad.errors import EmbeddingCorruptError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.saliency.codec import CodedDifferences, from_bytes

MAGIC = b"XMO1"
_HEADER = struct.Struct("<4sII32s")


def pack(entry: OcclusionEntry, name: str, coded: CodedDifferences) -> bytes:
    """Return a blob that only reads as this part of this entry.

    Args:
        entry: The cache entry.
        name: Which part of it.
        coded: Its masked embeddings.
    """
    payload = coded.to_bytes()
    header = _HEADER.pack(MAGIC, coded.windows, coded.embedding_size, _checksum(entry, name, payload))
    return header + payload


def unpack(entry: OcclusionEntry, name: str, data: bytes, *, windows: int) -> CodedDifferences:
    """Read what `pack` returned, without copying the embeddings.

    Raises:
        EmbeddingCorruptError: If it is anything else, or not as many windows.
    """
    if len(data) < _HEADER.size:
        raise EmbeddingCorruptError("a stored chunk of masked embeddings is cut off")
    magic, count, embedding_size, checksum = _HEADER.unpack_from(data)
    payload = memoryview(data)[_HEADER.size :]
    if magic != MAGIC or count != windows or checksum != _checksum(entry, name, payload):
        raise EmbeddingCorruptError("a stored chunk of masked embeddings is not what was written")
    return from_bytes(payload, entry.codec, embedding_size=embedding_size)


def _checksum(entry: OcclusionEntry, name: str, payload: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(f"{entry.key}/{name}/".encode())
    digest.update(payload)
    return digest.digest()
