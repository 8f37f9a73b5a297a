"""Documents that are read as they were written or not at all."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from xmirad.errors import EmbeddingCorruptError

CHECKSUM_LENGTH = 64


def sealed(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON behind its SHA-256 and a line break."""
    payload = json.dumps(document, sort_keys=True).encode()
    return hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def unsealed(data: bytes) -> dict[str, Any]:
    """Return the document that was sealed.

    Raises:
        EmbeddingCorruptError: If these are not the bytes that were written.
    """
    checksum, payload = data[:CHECKSUM_LENGTH], data[CHECKSUM_LENGTH + 1 :]
    if hashlib.sha256(payload).hexdigest().encode() != checksum:
        raise EmbeddingCorruptError("what is stored of an explanation is not what was written")
    document: dict[str, Any] = json.loads(payload)
    return document
