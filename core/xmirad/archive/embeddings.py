"""Checks that every embedding passes before it reaches a store. Qdrant Edge itself accepts NaN without a word."""

from collections.abc import Sequence

import numpy as np

from xmirad.archive.port import StoredItem
from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.types import Float32Array

UNIT_TOLERANCE = 1e-5
"""How far the length of a stored embedding may be from 1; float32 rounding stays below 1e-6 up to 4,096 values."""


def is_unit(embedding: Float32Array) -> bool:
    """Return whether a vector, float32 `[embedding_size]`, is finite and of length 1, as every store demands."""
    length = float(np.linalg.norm(embedding.astype(np.float64)))
    return abs(length - 1.0) <= UNIT_TOLERANCE  # False for NaN


def stored_embeddings(items: Sequence[StoredItem], embedding_size: int) -> Float32Array:
    """Return the embeddings of items to be stored, float32 `[N, embedding_size]`.

    Raises:
        EmbeddingCorruptError: If one is missing, is not of that size, not finite or no unit vector.
    """
    for item in items:
        if item.embedding is None or item.embedding.shape != (embedding_size,):
            message = f"an embedding of an item must have {embedding_size} values"
            raise EmbeddingCorruptError(message, metadata={"item": item.item, "embedding_size": str(embedding_size)})
    rows = [item.embedding for item in items if item.embedding is not None]
    embeddings = np.stack(rows).astype(np.float32, copy=False)
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    # Written so that NaN counts as wrong.
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= UNIT_TOLERANCE))
    if wrong.size:
        message = "an embedding of an item must be finite and of length 1"
        raise EmbeddingCorruptError(message, metadata={"item": items[int(wrong[0])].item})
    return embeddings


def query_embedding(embedding: Float32Array, embedding_size: int, *, field: str) -> Float32Array:
    """Return a query's embedding scaled to length 1, float32 `[embedding_size]`.

    Raises:
        InvalidRequestError: If it is not of that size, not finite or zero.
    """
    if embedding.shape != (embedding_size,):
        message = f"{field} must have {embedding_size} values"
        metadata = {"embedding_size": str(embedding_size), "size": str(embedding.size)}
        raise InvalidRequestError(message, field=field, metadata=metadata)
    wide = embedding.astype(np.float64)
    if not np.isfinite(wide).all():
        raise InvalidRequestError(f"{field} must be finite", field=field)
    length = np.linalg.norm(wide)
    if length == 0.0:
        raise InvalidRequestError(f"{field} must not be all zeros", field=field)
    if abs(length - 1.0) <= UNIT_TOLERANCE:
        return embedding.astype(np.float32, copy=False)
    scaled: Float32Array = (wide / length).astype(np.float32)
    return scaled


def cosine(score: float) -> float:
    """Return a store's dot product of unit vectors within -1 to 1, which rounding may lead beyond."""
    return min(1.0, max(-1.0, score))
