"""Relevance feedback: moving a query towards what a reader marked as relevant, the same for every store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xmirad.archive.embeddings import query_embedding
from xmirad.archive.port import SearchableArchive, StoredItem
from xmirad.errors import EmbeddingCorruptError, InvalidRequestError, ItemNotFoundError
from xmirad.ids import item_name
from xmirad.types import Float32Array

NEGATIVE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Judgments:
    """What a reader thinks of items, by id; no item is in both.

    Attributes:
        positives: Items that are what the reader looks for.
        negatives: Items that are not.
    """

    positives: tuple[str, ...]
    negatives: tuple[str, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """All items that were judged."""
        return (*self.positives, *self.negatives)


def feedback_embedding(query: Float32Array, positives: Float32Array, negatives: Float32Array) -> Float32Array:
    """Return query + mean(positives) - 0.5 mean(negatives), scaled to length 1, float32 `[embedding_size]`.

    Source: Rocchio, "Relevance feedback in information retrieval" (in Salton, The SMART retrieval system, 1971), with
    weights 1, 1 and 0.5.

    Args:
        query: `[embedding_size]`, unit vector.
        positives: `[P, embedding_size]`, unit vectors; P may be 0.
        negatives: `[N, embedding_size]`, unit vectors; N may be 0.

    Raises:
        InvalidRequestError: If it all cancels out.
    """
    moved = query.astype(np.float64)
    if len(positives):
        moved = moved + positives.mean(axis=0, dtype=np.float64)
    if len(negatives):
        moved = moved - NEGATIVE_WEIGHT * negatives.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(moved))
    if length < np.finfo(np.float32).eps:
        raise InvalidRequestError("query and feedback cancel each other out", field="feedback")
    unit: Float32Array = (moved / length).astype(np.float32)
    return unit


def moved_query(
    archive: SearchableArchive, query: Float32Array, judged: Judgments, *, site: str, field: str = "feedback"
) -> Float32Array:
    """Return a query's embedding after feedback, reading the items' embeddings in one batch.

    Args:
        archive: The archive of the items.
        query: `[embedding_size]`, of any length but zero.
        judged: What the reader thinks of items.
        site: The site whose items there are.
        field: Where the request holds the feedback.

    Raises:
        InvalidRequestError: If the query has another size, or it all cancels out.
        ItemNotFoundError: If there is no such item of the site, or no more; `field` says where it was named.
        EmbeddingCorruptError: If the store holds an item without its embedding.
    """
    unit = query_embedding(query, archive.binding.embedding_size, field=f"{field}.embedding.values")
    stored = {item.item: item for item in archive.get(judged.items, with_embedding=True) if item.payload.site == site}
    name = archive.binding.archive
    positives = _embeddings(stored, judged.positives, name, field=f"{field}.positive_items")
    negatives = _embeddings(stored, judged.negatives, name, field=f"{field}.negative_items")
    return feedback_embedding(unit, positives, negatives)


def _embeddings(stored: Mapping[str, StoredItem], items: Sequence[str], archive: str, *, field: str) -> Float32Array:
    rows: list[Float32Array] = []
    for item in items:
        name = item_name(archive, item)
        if item not in stored:
            raise ItemNotFoundError(f"there is no item {name}", field=field, metadata={"item": name})
        embedding = stored[item].embedding
        if embedding is None:
            raise EmbeddingCorruptError("an item is stored without its embedding", metadata={"item": name})
        rows.append(embedding)
    return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)
