"""Statements on embeddings: float32 bytes in a table of their own, beside the items that they belong to.

They are read seldom and are larger than all else of an item, so that a table of their own keeps writes of items small.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.archive.embeddings import is_unit
from xmirad.catalog.tables import archives, embeddings, items
from xmirad.errors import EmbeddingCorruptError
from xmirad.types import Float32Array

LITTLE_ENDIAN = np.dtype("<f4")
STORED = (embeddings.c.vector, embeddings.c.digest)
OF_IMAGE = (
    select(*STORED)
    .join(items, (items.c.creation == embeddings.c.creation) & (items.c.item == embeddings.c.item))
    .join(archives, archives.c.creation == items.c.creation)
    .where(
        items.c.image == bindparam("image"),
        items.c.document.is_not(None),
        items.c.delete_time.is_(None),
        archives.c.model == bindparam("model"),
        archives.c.delete_time.is_(None),
    )
    .limit(4)
)
"""Any of them will do, as long as it can be read; one of them is damaged less often than not."""


def _put(inserted: sqlite.Insert | postgresql.Insert) -> Any:  # noqa: ANN401 - of either engine
    changes = {name: inserted.excluded[name] for name in ("vector", "digest")}
    return inserted.on_conflict_do_update(index_elements=["creation", "item"], set_=changes)


PUT = {"sqlite": _put(sqlite.insert(embeddings)), "postgresql": _put(postgresql.insert(embeddings))}


def put_embedding(connection: Connection, creation: str, item: str, embedding: Float32Array) -> None:
    """Store or replace an item's embedding, float32 `[embedding_size]`."""
    vector = embedding.astype(LITTLE_ENDIAN, copy=False).tobytes()
    row = {"creation": creation, "item": item, "vector": vector, "digest": _digest(vector)}
    connection.execute(PUT[connection.dialect.name], row)


def find_embeddings(
    connection: Connection, creation: str, ids: Sequence[str]
) -> dict[str, Float32Array | EmbeddingCorruptError]:
    """Return the embeddings of those of some items that have one, damaged ones as errors."""
    rows = connection.execute(
        select(embeddings.c.item, *STORED).where(embeddings.c.creation == creation, embeddings.c.item.in_(ids))
    )
    return {row.item: decode(row.vector, row.digest, item=row.item) for row in rows}


def embedding_of_image(connection: Connection, image: str, model: str) -> Float32Array | None:
    """Return a model's embedding of an image that any item of any archive has, or None.

    Raises:
        EmbeddingCorruptError: If all that there are are damaged.
    """
    rows = connection.execute(OF_IMAGE, {"image": image, "model": model}).all()
    damaged: EmbeddingCorruptError | None = None
    for row in rows:
        found = decode(row.vector, row.digest, item=image)
        if not isinstance(found, EmbeddingCorruptError):
            return found
        damaged = found
    if damaged is not None:
        raise damaged
    return None


def delete_embeddings(connection: Connection, creation: str, ids: Sequence[str]) -> None:
    """Delete the embeddings of items."""
    connection.execute(delete(embeddings).where(embeddings.c.creation == creation, embeddings.c.item.in_(ids)))


def decode(vector: object, digest: object, *, item: str) -> Float32Array | EmbeddingCorruptError:
    """Return an embedding as it was stored, or what is wrong with it."""
    data = vector if isinstance(vector, bytes) else b""
    if data and len(data) % LITTLE_ENDIAN.itemsize == 0 and _digest(data) == digest:
        found: Float32Array = np.frombuffer(data, LITTLE_ENDIAN).astype(np.float32)
        if is_unit(found):
            return found
    return EmbeddingCorruptError("a stored embedding is damaged", metadata={"item": item})


def _digest(vector: bytes) -> str:
    return hashlib.sha256(vector).hexdigest()
