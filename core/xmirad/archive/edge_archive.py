"""One archive in a Qdrant Edge shard.

Facts about qdrant-edge-py 0.9.0 that shape this module: a shard holds the interpreter lock while it works, so more
threads answer no faster; ids come back as `uuid.UUID`; NaN is stored without a word; `MatchValue(True)` never matches;
`optimize()` freezes the process until the index is made, so a child calls it, and items stored since are compared one
by one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import qdrant_edge as edge

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
from xmirad.archive.counting import RememberedCounts
from xmirad.archive.edge_index import index_of, search_params, shard_config
from xmirad.archive.embeddings import cosine, query_embedding, stored_embeddings
from xmirad.archive.payload import REVISION, facet_text, flat_item, from_flat, revision_of
from xmirad.archive.port import DAMAGED, ArchiveBinding, ScoredItem, StoredItem
from xmirad.errors import ArchiveNotReadyError, BackendUnavailableError, XmiradError
from xmirad.types import EdgeIndex

SYSTEM_ERRORS = ("os error 28", "os error 122", "os error 24", "os error 13", "os error 12", "No space left")
"""Disk full, quota, too many files, no permission, no memory: the shard itself may be in order."""
EVERY_VALUE = 1_000_000
"""More than a field has values: `FacetRequest` cannot be told to return them all."""


@contextmanager
def shard_errors(archive: str, *, is_loading: bool = False) -> Iterator[None]:
    """Turn what Edge raises, which is a bare `Exception`, or a panic, which is not even that, into our error.

    A shard that cannot be loaded, or panics, counts as damaged, unless the disk is full or the like.
    """
    try:
        yield
    except (XmiradError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        if "WouldBlock" in str(error):
            message = "another process has the archive open"
            raise ArchiveNotReadyError(message, metadata={"archive": archive}, retry_delay_seconds=1.0) from error
        metadata = {"backend": "edge", "archive": archive}
        if not any(words in str(error) for words in SYSTEM_ERRORS) and (is_loading or not isinstance(error, Exception)):
            metadata["cause"] = DAMAGED
        message = "the embedded vector store failed; an archive that is damaged is made again from the catalog"
        raise BackendUnavailableError(message, metadata=metadata, retry_delay_seconds=1.0) from error


def create_shard(folder: Path, binding: ArchiveBinding, index: EdgeIndex) -> edge.EdgeShard:
    """Create an empty shard with an index on every payload field."""
    with shard_errors(binding.archive):
        shard = edge.EdgeShard.create(str(folder), shard_config(index, binding.embedding_size))
        for field in PayloadField:
            shard.update(edge.UpdateOperation.create_field_index(field.value, _schema(field)))
        shard.flush()
    return shard


def load_archive(folder: Path, binding: ArchiveBinding) -> "EdgeArchive":
    """Open the shard in a folder; what its write-ahead log holds is applied.

    Raises:
        ArchiveNotReadyError: If another process has it open.
        BackendUnavailableError: If it cannot be opened.
    """
    with shard_errors(binding.archive, is_loading=True):
        return EdgeArchive(binding, edge.EdgeShard.load(str(folder)), index_of(folder))


class EdgeArchive:
    """An archive in a shard of this process. Use it from one thread only, the one that the store is used from."""

    def __init__(self, binding: ArchiveBinding, shard: edge.EdgeShard, index: EdgeIndex = EdgeIndex.FLAT) -> None:
        """Take over an open shard that was made with an index."""
        self.binding = binding
        self.index = index
        self._open_shard: edge.EdgeShard | None = shard
        self._counts = RememberedCounts(self._count)

    @property
    def always_exact(self) -> bool:
        """True if every query is compared with every item, asked for or not."""
        return self.index.is_exact

    @property
    def closed(self) -> bool:
        """True once the archive was closed."""
        return self._open_shard is None

    def upsert(self, items: Sequence[StoredItem]) -> None:
        """Store items; see `Archive.upsert`."""
        if not items:
            return
        embeddings = stored_embeddings(items, self.binding.embedding_size)
        points = [
            # A list is converted faster than an array.
            edge.Point(UUID(item.item), embedding.tolist(), flat_item(item))
            for item, embedding in zip(items, embeddings, strict=True)
        ]
        self._update(edge.UpdateOperation.upsert_points(points))

    def query(
        self,
        embedding: np.typing.NDArray[np.float32],
        *,
        top_k: int,
        where: Condition | None = None,
        exact: bool = False,
        with_payload: bool = True,
    ) -> list[ScoredItem]:
        """Return the nearest items; see `Archive.query`."""
        unit = query_embedding(embedding, self.binding.embedding_size, field="embedding.values")
        request = edge.QueryRequest(
            limit=top_k,
            query=edge.Query.Nearest(unit.tolist()),
            filter=_filter(where),
            with_payload=with_payload,
            params=search_params(self.index, exact=exact),
        )
        with shard_errors(self.binding.archive):
            found = self._shard.query(request)
        return [_scored(point, with_payload) for point in found]

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        """Return items; see `Archive.get`."""
        with shard_errors(self.binding.archive):
            ids: list[edge.PointId] = [UUID(item) for item in items]
            records = self._shard.retrieve(ids, with_payload=True, with_vector=with_embedding)
        found = {stored.item: stored for stored in map(_stored, records)}
        return [found[item] for item in items if item in found]

    def scan(
        self, *, after: str | None, limit: int, where: Condition | None = None, with_embedding: bool = False
    ) -> list[StoredItem]:
        """Return a page of items; see `Archive.scan`."""
        # Edge begins at the offset itself: ask for one more and leave it out.
        request = edge.ScrollRequest(
            offset=None if after is None else UUID(after),
            limit=limit + 1,
            filter=_filter(where),
            with_payload=True,
            with_vector=with_embedding,
        )
        with shard_errors(self.binding.archive):
            records, _ = self._shard.scroll(request)
        return [_stored(record) for record in records if str(record.id) != after][:limit]

    def revisions(self, *, after: str | None, limit: int) -> list[tuple[str, int]]:
        """Return a page of ids and revisions; see `Archive.revisions`."""
        request = edge.ScrollRequest(
            offset=None if after is None else UUID(after),
            limit=limit + 1,
            with_payload=edge.PayloadSelector.Include([REVISION]),
            with_vector=False,
        )
        with shard_errors(self.binding.archive):
            records, _ = self._shard.scroll(request)
        found = [(str(record.id), revision_of(record.payload)) for record in records]
        return [each for each in found if each[0] != after][:limit]

    def delete(self, items: Sequence[str]) -> None:
        """Delete items; see `Archive.delete`."""
        self._update(edge.UpdateOperation.delete_points([UUID(item) for item in items]))

    def count(self, where: Condition | None = None) -> int:
        """Count items exactly; see `Archive.count`."""
        return self._counts.count(where)

    def facet(self, field: PayloadField, *, where: Condition | None = None) -> dict[str, int]:
        """Count the items of every value; see `Archive.facet`."""
        request = edge.FacetRequest(field.value, limit=EVERY_VALUE, exact=True, filter=_filter(where))
        with shard_errors(self.binding.archive):
            hits = self._shard.facet(request).hits
        return {facet_text(hit.value): hit.count for hit in hits}

    def optimize(self) -> None:
        """Make the graph or the codes, if the index has any. Freezes the whole process: never while it serves."""
        if not self.index.is_exact:
            with shard_errors(self.binding.archive):
                self._shard.optimize()

    def flush(self) -> None:
        """Write everything to disk."""
        with shard_errors(self.binding.archive):
            self._shard.flush()

    def close(self) -> None:
        """Release the shard."""
        self._counts.forget()
        shard, self._open_shard = self._open_shard, None
        if shard is not None:
            with shard_errors(self.binding.archive):
                shard.close()

    def _count(self, where: Condition | None) -> int:
        with shard_errors(self.binding.archive):
            return self._shard.count(edge.CountRequest(exact=True, filter=_filter(where)))

    def _update(self, operation: edge.UpdateOperation) -> None:
        # Forgotten even if it fails: part of it may have been written.
        self._counts.forget()
        with shard_errors(self.binding.archive):
            self._shard.update(operation)

    @property
    def _shard(self) -> edge.EdgeShard:
        if self._open_shard is None:
            raise ArchiveNotReadyError("the archive is closed", metadata={"archive": self.binding.archive})
        return self._open_shard


def _schema(field: PayloadField) -> edge.PayloadSchemaType:
    if field in INTEGER_FIELDS:
        return edge.PayloadSchemaType.Integer
    return edge.PayloadSchemaType.Bool if field in BOOLEAN_FIELDS else edge.PayloadSchemaType.Keyword


def _filter(where: Condition | None) -> edge.Filter | None:
    return None if where is None else edge.Filter(must=[_condition(where)])


def _condition(where: Condition) -> edge.FieldCondition | edge.HasIdCondition | edge.Filter:
    match where:
        case AnyOf(field, values):
            return edge.FieldCondition(field.value, match=edge.MatchAny(list(values)))
        case Between(field, first, last):
            return edge.FieldCondition(field.value, range=edge.RangeFloat(gte=first, lte=last))
        case ItemIs(items):
            return edge.HasIdCondition({UUID(item) for item in items})
        case Not(condition):
            return edge.Filter(must_not=[_condition(condition)])
        case All(conditions):
            return edge.Filter(must=[_condition(condition) for condition in conditions])


def _scored(point: edge.ScoredPoint, with_payload: bool) -> ScoredItem:
    item = str(point.id)
    return ScoredItem(item, cosine(point.score), from_flat(item, point.payload) if with_payload else None)


def _stored(record: edge.Record) -> StoredItem:
    item = str(record.id)
    embedding = None if record.vector is None else np.asarray(record.vector, dtype=np.float32)
    return StoredItem(item, from_flat(item, record.payload), embedding, revision_of(record.payload))
