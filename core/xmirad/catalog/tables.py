"""The catalog's schema: archives, items and embeddings, calibrations, and what processes and callers share.

Identity is the archive's creation id: rows are keyed by it, so that an archive which is created again under a deleted
one's name shares nothing with it. `document` columns hold JSON whose fields may change freely; columns are what
statements look for.
"""

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    event,
)

REVISION = 3
"""Raise it with every change of a table below: whoever opens a catalog of another revision refuses it."""
STRING = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte on both engines, so that pages come in the same order."""

metadata = MetaData()

schema = Table("xmirad_schema", metadata, Column("revision", Integer, primary_key=True))

archives = Table(
    "archives",
    metadata,
    Column("creation", STRING, primary_key=True),
    Column("archive", STRING, nullable=False),
    Column("site", STRING, nullable=False),
    Column("model", STRING, nullable=False),
    Column("embedding_size", Integer, nullable=False),
    Column("preprocessing", STRING, nullable=False),
    Column("site_key_fingerprint", STRING, nullable=False),
    Column("originals", STRING, nullable=False),
    Column("create_time", Double, nullable=False),
    Column("delete_time", Double),
)
_is_live = archives.c.delete_time.is_(None)
_is_deleted = archives.c.delete_time.is_not(None)
Index(
    "archives_live", archives.c.site, archives.c.archive, unique=True, sqlite_where=_is_live, postgresql_where=_is_live
)
Index("archives_deleted", archives.c.archive, sqlite_where=_is_deleted, postgresql_where=_is_deleted)

gates = Table(
    "archive_gates",
    metadata,
    Column("creation", ForeignKey(archives.c.creation), primary_key=True),
    Column("is_open", Boolean, nullable=False),
)
"""What writers of items lock instead of the archive's row, so that they never keep its deletion waiting."""

items = Table(
    "items",
    metadata,
    Column("creation", ForeignKey(archives.c.creation), nullable=False),
    Column("item", STRING, nullable=False),
    Column("revision", Integer, nullable=False),  # survives the record, and never restarts
    Column("image", STRING),  # these three are empty once the record of a deleted item is forgotten
    Column("file", STRING),
    Column("document", Text),
    Column("delete_time", Double),  # set: there is a tombstone
    PrimaryKeyConstraint("creation", "item"),
)
_is_recorded = items.c.document.is_not(None)
_has_item = _is_recorded & items.c.delete_time.is_(None)
_is_half_deleted = _is_recorded & items.c.delete_time.is_not(None)
Index("items_live", items.c.creation, items.c.item, sqlite_where=_has_item, postgresql_where=_has_item)
Index(
    "items_half_deleted",
    items.c.creation,
    items.c.item,
    sqlite_where=_is_half_deleted,
    postgresql_where=_is_half_deleted,
)
Index("items_image", items.c.image, sqlite_where=_has_item, postgresql_where=_has_item)
Index("items_file", items.c.file, sqlite_where=_has_item, postgresql_where=_has_item)

embeddings = Table(
    "embeddings",
    metadata,
    Column("creation", ForeignKey(archives.c.creation), nullable=False),
    Column("item", STRING, nullable=False),
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian
    Column("digest", STRING, nullable=False),  # SHA-256 of the vector
    PrimaryKeyConstraint("creation", "item"),
)
event.listen(
    embeddings,
    "after_create",
    # Noise does not get smaller, so PostgreSQL need not try to compress it.
    DDL("ALTER TABLE embeddings ALTER COLUMN vector SET STORAGE EXTERNAL").execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
)

blobs = Table(
    "blobs",
    metadata,
    Column("location", STRING, primary_key=True),  # its key in the blob store, which ends in a random generation
    Column("digest", STRING, nullable=False),  # of the image, or of the file
    Column("preprocessing", STRING, nullable=False),  # of a model input; empty for a file as uploaded
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", STRING, nullable=False),
    Column("is_live", Boolean, nullable=False),  # until then it is pending: no item that needs it was stored yet
    Column("create_time", Double, nullable=False),
    Column("delete_time", Double),  # set: it is being deleted
    Column("is_purged", Boolean, nullable=False),
)
"""Blobs that items share: model inputs and files. What others own lies under a prefix that the owner's row names."""
_is_current = blobs.c.delete_time.is_(None)
_is_begun = _is_current & blobs.c.is_live.is_(False)
_is_ended = blobs.c.delete_time.is_not(None)
_is_unpurged, _is_purged = _is_ended & blobs.c.is_purged.is_(False), _is_ended & blobs.c.is_purged.is_(True)
Index(
    "blobs_current",
    blobs.c.digest,
    blobs.c.preprocessing,
    unique=True,
    sqlite_where=_is_current,
    postgresql_where=_is_current,
)
Index("blobs_pending", blobs.c.create_time, sqlite_where=_is_begun, postgresql_where=_is_begun)
Index("blobs_unpurged", blobs.c.delete_time, sqlite_where=_is_unpurged, postgresql_where=_is_unpurged)
Index("blobs_purged", blobs.c.delete_time, sqlite_where=_is_purged, postgresql_where=_is_purged)

marks = Table(
    "marks",
    metadata,
    Column("creation", ForeignKey(archives.c.creation), nullable=False),
    Column("item", STRING, nullable=False),  # maybe of an item that only the vector store knows
    Column("ticket", BigInteger, nullable=False),  # another one with each marking
    Column("priority", Integer, nullable=False),
    Column("apply_ms", BigInteger),  # set once the vector store has acknowledged it; until then it is pending
    PrimaryKeyConstraint("creation", "item"),
)
_is_pending = marks.c.apply_ms.is_(None)
_is_applied = marks.c.apply_ms.is_not(None)
Index(
    "marks_pending",
    marks.c.creation,
    marks.c.priority,
    marks.c.item,
    sqlite_where=_is_pending,
    postgresql_where=_is_pending,
)
Index("marks_applied", marks.c.creation, marks.c.apply_ms, sqlite_where=_is_applied, postgresql_where=_is_applied)

claims = Table(
    "claims",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("creation", STRING, nullable=False),  # maybe of an archive that is gone
    Column("items", Text, nullable=False),
    Column("again_ms", BigInteger),  # set once its holder has lost the lease: when to mark the items once more
    PrimaryKeyConstraint("epoch", "creation"),
)
"""What the holder of the lease is about to write into the vector store: it may arrive after the lease is lost."""

indexes = Table(
    "indexes",
    metadata,
    Column("creation", ForeignKey(archives.c.creation), primary_key=True),
    Column("state", STRING, nullable=False),
    Column("is_live", Boolean, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
)
"""What an archive's part in the vector store is good for."""
_is_unfinished = indexes.c.is_live.is_(False)
Index("indexes_unfinished", indexes.c.creation, sqlite_where=_is_unfinished, postgresql_where=_is_unfinished)

calibrations = Table(
    "calibrations",
    metadata,
    Column("creation", ForeignKey(archives.c.creation), primary_key=True),
    Column("document", Text, nullable=False),
    Column("features", LargeBinary),
)

leases = Table(
    "leases",
    metadata,
    Column("name", STRING, primary_key=True),
    Column("holder", STRING, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("clock", STRING, nullable=False),
    Column("expiry_ms", BigInteger, nullable=False),
)
"""Rows stay for ever, so that epochs never restart."""

workers = Table(
    "workers",
    metadata,
    Column("worker", STRING, primary_key=True),
    Column("parent", STRING, nullable=False),
    Column("pid", Integer, nullable=False),  # means something to processes of the same parent only
    Column("clock", STRING, nullable=False),
    Column("heartbeat_ms", BigInteger, nullable=False),
    Column("silent_ms", BigInteger),  # when it was first seen that its heartbeats had stopped
    Column("work", STRING),
)
Index("workers_heartbeat", workers.c.clock, workers.c.heartbeat_ms)
Index("workers_parent", workers.c.parent, workers.c.pid)
_is_at_work = workers.c.work.is_not(None)
Index("workers_work", workers.c.work, sqlite_where=_is_at_work, postgresql_where=_is_at_work)

lost_workers = Table(
    "lost_workers",
    metadata,
    Column("work", STRING, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("clock", STRING, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)
Index("lost_workers_last", lost_workers.c.clock, lost_workers.c.last_ms)

requests = Table(
    "requests",
    metadata,
    Column("site", STRING, nullable=False),
    Column("caller", STRING, nullable=False),
    Column("method", STRING, nullable=False),
    Column("request", STRING, nullable=False),
    Column("digest", STRING, nullable=False),
    Column("is_done", Boolean, nullable=False),
    Column("result", LargeBinary),
    Column("create_ms", BigInteger, nullable=False),  # of the wall clock
    PrimaryKeyConstraint("site", "caller", "method", "request"),
)
Index("requests_create", requests.c.create_ms)

tokens = Table(
    "tokens",
    metadata,
    Column("sha256", STRING, primary_key=True),
    Column("site", STRING, nullable=False),
    Column("name", STRING, nullable=False),
    Column("scopes", STRING, nullable=False),  # words with a space between them
    Column("create_time", Double, nullable=False),
    Column("expire_time", Double),
    Column("revoke_time", Double),
)
_is_in_force = tokens.c.revoke_time.is_(None)
Index(
    "tokens_in_force",
    tokens.c.site,
    tokens.c.name,
    unique=True,
    sqlite_where=_is_in_force,
    postgresql_where=_is_in_force,
)
Index("tokens_name", tokens.c.site, tokens.c.name)

imports = Table(
    "imports",
    metadata,
    Column("creation", ForeignKey(archives.c.creation), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", STRING, nullable=False),
    Column("site", STRING, nullable=False),
    Column("request", Text, nullable=False),
    Column("plan", Text),  # empty until the folder has been looked into
    Column("result", Text),  # empty until it has ended
    PrimaryKeyConstraint("creation", "number"),
)
_is_unfinished = imports.c.result.is_(None)
Index(
    "imports_unfinished", imports.c.creation, unique=True, sqlite_where=_is_unfinished, postgresql_where=_is_unfinished
)
Index("imports_of_site", imports.c.site, imports.c.name)

import_segments = Table(
    "import_segments",
    metadata,
    Column("creation", STRING, nullable=False),
    Column("number", Integer, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("position", Integer, nullable=False),  # the first image that is not settled
    Column("done", Text, nullable=False),  # what became of those before it
    PrimaryKeyConstraint("creation", "number", "segment"),
)
