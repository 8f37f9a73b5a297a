"""One archive in a collection of a Qdrant server, reached by its name."""

from collections.abc import Collection, Sequence

import numpy as np
from qdrant_client import QdrantClient, models

from xmirad.archive.conditions import (
    BOOLEAN_FIELDS,
    INTEGER_FIELDS,
    All,
    AnyOf,
    Between,
    Condition,
    ItemIs,
    Not,
    PayloadField,
)
from xmirad.archive.embeddings import cosine, query_embedding, stored_embeddings
from xmirad.archive.payload import REVISION, facet_text, flat_item, from_flat, revision_of
from xmirad.archive.port import ArchiveBinding, ScoredItem, StoredItem
from xmirad.archive.qdrant_errors import qdrant_errors
from xmirad.types import Float32Array

EVERY_VALUE = 1_000_000
"""More than a field has values: a facet cannot be told to return them all."""

UPSERT_BATCH = 256
"""Items in one message; at 2,048 values an item that is 2 MiB."""


def create_collection(client: QdrantClient, name: str, binding: ArchiveBinding, metadata: dict[str, object]) -> None:
    """Create a collection with an index on every payload field.

    Stored embeddings are unit vectors, so the dot product is the cosine, and embeddings are read back bit by bit.
    """
    vectors = models.VectorParams(size=binding.embedding_size, distance=models.Distance.DOT)
    client.create_collection(name, vectors_config=vectors, metadata=metadata)


def create_indexes(client: QdrantClient, name: str, present: Collection[str]) -> None:
    """Index the payload fields of a collection except those that are indexed already."""
    for field in sorted(set(PayloadField) - set(present)):
        client.create_payload_index(name, field.value, field_schema=_schema(field), wait=True)


class QdrantArchive:
    """An archive on a server. Its methods may be called from several threads."""

    always_exact = False

    def __init__(self, binding: ArchiveBinding, client: QdrantClient, name: str) -> None:
        """Use a client that stays the store's."""
        self.binding = binding
        self._client = client
        self._name = name

    def upsert(self, items: Sequence[StoredItem]) -> None:
        """Store items; see `Archive.upsert`."""
        if not items:
            return
        embeddings = stored_embeddings(items, self.binding.embedding_size)
        points = [
            models.PointStruct(id=item.item, vector=embedding.tolist(), payload=flat_item(item))
            for item, embedding in zip(items, embeddings, strict=True)
        ]
        with qdrant_errors(self.binding.archive):
            for begin in range(0, len(points), UPSERT_BATCH):
                self._client.upsert(self._name, points[begin : begin + UPSERT_BATCH], wait=True)

    def query(
        self,
        embedding: Float32Array,
        *,
        top_k: int,
        where: Condition | None = None,
        exact: bool = False,
        with_payload: bool = True,
    ) -> list[ScoredItem]:
        """Return the nearest items; see `Archive.query`."""
        unit = query_embedding(embedding, self.binding.embedding_size, field="embedding.values")
        with qdrant_errors(self.binding.archive):
            response = self._client.query_points(
                self._name,
                query=unit.tolist(),
                query_filter=_filter(where),
                limit=top_k,
                search_params=models.SearchParams(exact=exact),
                with_payload=with_payload,
            )
        return [_scored(point, with_payload) for point in response.points]

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        """Return items; see `Archive.get`."""
        if not items:
            return []
        with qdrant_errors(self.binding.archive):
            records = self._client.retrieve(self._name, list(items), with_payload=True, with_vectors=with_embedding)
        found = {stored.item: stored for stored in map(_stored, records)}
        return [found[item] for item in items if item in found]

    def scan(
        self, *, after: str | None, limit: int, where: Condition | None = None, with_embedding: bool = False
    ) -> list[StoredItem]:
        """Return a page of items; see `Archive.scan`."""
        # Qdrant begins at the offset itself: ask for one more and leave it out.
        with qdrant_errors(self.binding.archive):
            records, _ = self._client.scroll(
                self._name,
                scroll_filter=_filter(where),
                offset=after,
                limit=limit + 1,
                with_payload=True,
                with_vectors=with_embedding,
            )
        return [_stored(record) for record in records if str(record.id) != after][:limit]

    def revisions(self, *, after: str | None, limit: int) -> list[tuple[str, int]]:
        """Return a page of ids and revisions; see `Archive.revisions`."""
        with qdrant_errors(self.binding.archive):
            records, _ = self._client.scroll(
                self._name, offset=after, limit=limit + 1, with_payload=[REVISION], with_vectors=False
            )
        found = [(str(record.id), revision_of(record.payload)) for record in records]
        return [each for each in found if each[0] != after][:limit]

    def delete(self, items: Sequence[str]) -> None:
        """Delete items; see `Archive.delete`."""
        if not items:
            return
        with qdrant_errors(self.binding.archive):
            self._client.delete(self._name, models.PointIdsList(points=list(items)), wait=True)

    def count(self, where: Condition | None = None) -> int:
        """Count items exactly; see `Archive.count`."""
        with qdrant_errors(self.binding.archive):
            return self._client.count(self._name, count_filter=_filter(where), exact=True).count

    def facet(self, field: PayloadField, *, where: Condition | None = None) -> dict[str, int]:
        """Count the items of every value; see `Archive.facet`."""
        with qdrant_errors(self.binding.archive):
            response = self._client.facet(
                self._name, field.value, facet_filter=_filter(where), limit=EVERY_VALUE, exact=True
            )
        return {facet_text(hit.value): hit.count for hit in response.hits}

    def flush(self) -> None:
        """Do nothing: the server acknowledges a write once it is in its write-ahead log."""

    def close(self) -> None:
        """Do nothing: the connection is the store's."""


def _schema(field: PayloadField) -> models.PayloadSchemaType | models.KeywordIndexParams:
    if field is PayloadField.SITE:
        return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    if field in INTEGER_FIELDS:
        return models.PayloadSchemaType.INTEGER
    return models.PayloadSchemaType.BOOL if field in BOOLEAN_FIELDS else models.PayloadSchemaType.KEYWORD


def _filter(where: Condition | None) -> models.Filter | None:
    return None if where is None else models.Filter(must=[_condition(where)])


def _condition(where: Condition) -> models.Condition:
    match where:
        case AnyOf(field, values):
            return models.FieldCondition(key=field.value, match=models.MatchAny(any=list(values)))
        case Between(field, first, last):
            return models.FieldCondition(key=field.value, range=models.Range(gte=first, lte=last))
        case ItemIs(items):
            return models.HasIdCondition(has_id=list(items))
        case Not(condition):
            return models.Filter(must_not=[_condition(condition)])
        case All(conditions):
            return models.Filter(must=[_condition(condition) for condition in conditions])


def _scored(point: models.ScoredPoint, with_payload: bool) -> ScoredItem:
    item = str(point.id)
    return ScoredItem(item, cosine(point.score), from_flat(item, point.payload) if with_payload else None)


def _stored(record: models.Record) -> StoredItem:
    item = str(record.id)
    embedding = None if record.vector is None else np.asarray(record.vector, dtype=np.float32)
    return StoredItem(item, from_flat(item, record.payload), embedding, revision_of(record.payload))
