"""The catalog's tables of explanations, of stored queries, and of the occlusion cache.

Rows that own blobs outlive them: a deleted one keeps its key and `delete_time` until its blobs are purged, at once and
again a day later, because a process that was paused may write one late. Until it is purged nobody brings it back.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal,
)

from xmirad.catalog.tables import STRING, metadata

explanations = Table(
    "explanations",
    metadata,
    Column("explanation", STRING, primary_key=True),
    Column("site", STRING, nullable=False),
    Column("archive", STRING, nullable=False),
    Column("creation", STRING, nullable=False),
    Column("query", STRING),  # digest of a stored query; empty if it is an item
    Column("attempt", Integer, nullable=False),
    Column("queue", STRING, nullable=False),
    Column("create_time", Double, nullable=False),
    Column("request", Text),  # empty once it is deleted
    Column("state", STRING),  # empty until the attempt has ended
    Column("finish_time", Double),
    Column("result", Text),
    Column("preview", Text),
    Column("preview_windows", Integer, nullable=False),
    Column("fidelity", Text),
    Column("delete_time", Double),
    Column("is_purged", Boolean, nullable=False),
)

explanation_items = Table(
    "explanation_items",
    metadata,
    Column("creation", STRING, nullable=False),
    Column("item", STRING, nullable=False),
    Column("explanation", ForeignKey(explanations.c.explanation), nullable=False),
    PrimaryKeyConstraint("creation", "item", "explanation"),
)
Index("explanation_items_explanation", explanation_items.c.explanation)

queries = Table(
    "queries",
    metadata,
    Column("digest", STRING, primary_key=True),
    Column("create_time", Double, nullable=False),
    Column("is_explained", Boolean, nullable=False),
    Column("delete_time", Double),
    Column("is_purged", Boolean, nullable=False),
)

cache_entries = Table(
    "cache_entries",
    metadata,
    Column("location", STRING, primary_key=True),
    Column("image", STRING, nullable=False),
    Column("is_query", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Column("done", Integer, nullable=False),  # rows of `cache_chunks`; all chunks once they are one blob
    Column("is_whole", Boolean, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("use_time", Double, nullable=False),
    Column("warming", STRING),  # WANTED, or why it was given up
    Column("delete_time", Double),
    Column("is_purged", Boolean, nullable=False),
)

cache_chunks = Table(
    "cache_chunks",
    metadata,
    Column("location", ForeignKey(cache_entries.c.location), nullable=False),
    Column("chunk", Integer, nullable=False),
    PrimaryKeyConstraint("location", "chunk"),
)

cache_subscribers = Table(
    "cache_subscribers",
    metadata,
    Column("location", ForeignKey(cache_entries.c.location), nullable=False),
    Column("explanation", ForeignKey(explanations.c.explanation), nullable=False),
    PrimaryKeyConstraint("location", "explanation"),
)
Index("cache_subscribers_explanation", cache_subscribers.c.explanation)

cache_sums = Table(
    "cache_sums",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
)
"""One row: what the entries of items take. Each change is made in the transaction that changes the entry."""

WANTED = "WANTED"
# Constants of partial indexes must stand in the statement itself, hence literals.
SUCCEEDED, IS_WANTED = (literal(value, literal_execute=True) for value in ("succeeded", WANTED))
ZERO = literal(0, literal_execute=True)
IS_LIVE = explanations.c.delete_time.is_(None)
IS_UNFINISHED = IS_LIVE & explanations.c.state.is_(None)
IS_FINISHED = IS_LIVE & explanations.c.state.is_not(None)
IS_UNASSESSED = IS_LIVE & (explanations.c.state == SUCCEEDED) & explanations.c.fidelity.is_(None)
IS_QUERY_LIVE = queries.c.delete_time.is_(None)
IS_ABANDONED = IS_QUERY_LIVE & queries.c.is_explained.is_(False)
IS_ENTRY_LIVE = cache_entries.c.delete_time.is_(None)
IS_COUNTED = IS_ENTRY_LIVE & cache_entries.c.is_query.is_(False) & (cache_entries.c.bytes > ZERO)
IS_WARMING = IS_ENTRY_LIVE & (cache_entries.c.warming == IS_WANTED)


def _index(name: str, *columns: Column[object], where: ColumnElement[bool]) -> None:
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


_index("explanations_of_site", explanations.c.site, explanations.c.explanation, where=IS_LIVE)
_index(
    "explanations_of_archive", explanations.c.site, explanations.c.archive, explanations.c.explanation, where=IS_LIVE
)
_index("explanations_of_creation", explanations.c.creation, where=IS_LIVE)
_index("explanations_of_query", explanations.c.query, where=IS_LIVE)
_index("explanations_unfinished", explanations.c.explanation, where=IS_UNFINISHED)
_index("explanations_finished", explanations.c.finish_time, where=IS_FINISHED)
_index("explanations_unassessed", explanations.c.explanation, where=IS_UNASSESSED)
_index("queries_by_time", queries.c.create_time, where=IS_QUERY_LIVE)
_index("queries_abandoned", queries.c.create_time, where=IS_ABANDONED)
_index("cache_entries_of_image", cache_entries.c.image, where=IS_ENTRY_LIVE)
_index("cache_entries_by_use", cache_entries.c.use_time, where=IS_COUNTED)
_index("cache_entries_warming", cache_entries.c.location, where=IS_WARMING)
for _owner in (explanations, queries, cache_entries):
    _is_deleted = _owner.c.delete_time.is_not(None)
    _index(f"{_owner.name}_unpurged", _owner.c.delete_time, where=_is_deleted & _owner.c.is_purged.is_(False))
    _index(f"{_owner.name}_purged", _owner.c.delete_time, where=_is_deleted & _owner.c.is_purged.is_(True))
