"""Statements on marks: which items the vector store does not describe yet as the catalog does. Each takes a connection.

A mark says that an item changed, not how: whoever applies it writes the item's current state, so that no order can be
wrong. Every marking draws another ticket, and a mark is settled only with the ticket that was read before the store was
written: what changes an item in between leaves it marked.

A mark is PENDING until the store has acknowledged the write, then APPLIED until the write outlives a loss of power.
"""

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, exists, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog import items as item_rows
from xmirad.catalog.clock import now_ms
from xmirad.catalog.database import Database
from xmirad.catalog.embeddings import decode
from xmirad.catalog.leases import Lease, still_holds
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.catalog.tables import archives, claims, embeddings, items, marks
from xmirad.errors import EmbeddingCorruptError, RecordCorruptError
from xmirad.types import Float32Array

URGENT, BULK = 0, 1
"""Uploads and deletions go before imports and before what a comparison found."""
TICKET_BITS = 62
PAUSED_MS = 3_600_000
"""So long a process may be paused between what it claims and what it writes."""
IS_PENDING = marks.c.apply_ms.is_(None)
OF_ITEM = and_(items.c.creation == marks.c.creation, items.c.item == marks.c.item)
OF_EMBEDDING = and_(embeddings.c.creation == marks.c.creation, embeddings.c.item == marks.c.item)
CHANGES = (
    select(
        marks.c.item,
        marks.c.ticket,
        items.c.revision,
        items.c.image,
        items.c.file,
        items.c.document,
        items.c.delete_time,
        embeddings.c.vector,
        embeddings.c.digest,
    )
    .select_from(marks.outerjoin(items, OF_ITEM).outerjoin(embeddings, OF_EMBEDDING))
    .where(marks.c.creation == bindparam("creation"), IS_PENDING)
    .order_by(marks.c.priority, marks.c.item)
    .limit(bindparam("limit"))
)
WITH_WORK = (
    select(archives.c.creation)
    .where(archives.c.delete_time.is_(None))
    .where(exists(select(literal(1)).where(marks.c.creation == archives.c.creation, IS_PENDING)))
    .order_by(archives.c.creation)
)
IS_LIVE = select(literal(1)).where(archives.c.creation == bindparam("creation"), archives.c.delete_time.is_(None))
PENDING_OF_ITEM = select(literal(1)).where(
    marks.c.creation == bindparam("creation"), marks.c.item == bindparam("item"), IS_PENDING
)


@dataclass(frozen=True, slots=True)
class Change:
    """A marked item as it is now.

    Attributes:
        item: The item's id.
        ticket: Of the mark.
        revision: Of the item; 0 if the catalog has never known it.
        record: The item's record, or None if it is not to be found any more, or cannot be read.
        is_readable: Whether its record, if it has one, can be read.
        embedding: The item's embedding; None if it has none that can be read.
    """

    item: str
    ticket: int
    revision: int
    record: ItemRecord | None
    is_readable: bool
    embedding: Float32Array | None


def _mark(inserted: sqlite.Insert | postgresql.Insert) -> Any:  # noqa: ANN401 - of either engine
    new = inserted.excluded
    changes = {
        "ticket": new.ticket,
        "apply_ms": None,
        "priority": case((IS_PENDING & (marks.c.priority < new.priority), marks.c.priority), else_=new.priority),
    }
    return inserted.on_conflict_do_update(index_elements=["creation", "item"], set_=changes)


MARK = {"sqlite": _mark(sqlite.insert(marks)), "postgresql": _mark(postgresql.insert(marks))}


def mark(connection: Connection, creation: str, ids: Collection[str], *, priority: int = URGENT) -> int:
    """Mark items of an archive as changed, in the transaction that changes them; return their ticket."""
    ticket = secrets.randbits(TICKET_BITS)
    rows = [{"creation": creation, "item": item, "ticket": ticket, "priority": priority} for item in sorted(set(ids))]
    if rows:
        connection.execute(MARK[connection.dialect.name], rows)
    return ticket


def creations_with_changes(connection: Connection) -> Sequence[str]:
    """Return the creations of the archives that have pending marks."""
    return connection.execute(WITH_WORK).scalars().all()


def changes(connection: Connection, record: ArchiveRecord, *, limit: int) -> list[Change]:
    """Return some marked items of an archive as they are now, the urgent ones first; read in one statement."""
    rows = connection.execute(CHANGES, {"creation": record.creation, "limit": limit}).all()
    return [_change(row, record) for row in rows]


def is_pending(connection: Connection, creation: str, item: str) -> bool:
    """Return whether the vector store does not describe an item yet as the catalog does."""
    return connection.execute(PENDING_OF_ITEM, {"creation": creation, "item": item}).first() is not None


def count_pending(connection: Connection, creation: str, *, at_most: int) -> int:
    """Return how many marks of an archive are pending, but not more than `at_most`."""
    some = select(literal(1)).where(marks.c.creation == creation, IS_PENDING).limit(at_most)
    return len(connection.execute(some).all())


def settle(connection: Connection, creation: str, applied: Sequence[tuple[str, int]]) -> None:
    """Note that the store has acknowledged changes, by item and ticket; what was marked again since stays pending.

    A mark that is gone altogether was settled by another process, which may have written a later state before ours
    arrived: it is marked again.
    """
    of_archive = marks.c.creation == creation
    tickets = tuple_(marks.c.item, marks.c.ticket).in_(sorted(applied))
    now = now_ms(connection)
    connection.execute(update(marks).where(of_archive, tickets).values(apply_ms=now))
    ids = [item for item, _ in applied]
    there = set(connection.execute(select(marks.c.item).where(of_archive, marks.c.item.in_(ids))).scalars())
    mark(connection, creation, set(ids) - there)


def claim(connection: Connection, lease: Lease, creation: str, ids: Sequence[str]) -> bool:
    """Note what the holder of a lease is about to write into the store; return False if the lease is lost."""
    if not still_holds(connection, lease):
        return False
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"epoch": lease.epoch, "creation": creation, "items": json.dumps(sorted(ids)), "again_ms": None}
    put = engine.insert(claims).values(row)
    connection.execute(put.on_conflict_do_update(index_elements=["epoch", "creation"], set_={"items": row["items"]}))
    return True


def settle_claim(connection: Connection, lease: Lease, creation: str, applied: Sequence[tuple[str, int]]) -> None:
    """Settle what was claimed; if the lease is lost, mark it again, for another one may have written a later state."""
    if still_holds(connection, lease):
        settle(connection, creation, applied)
        connection.execute(delete(claims).where(claims.c.epoch == lease.epoch, claims.c.creation == creation))
    elif connection.execute(IS_LIVE, {"creation": creation}).first() is not None:
        mark(connection, creation, [item for item, _ in applied])


def recall_claims(connection: Connection, lease: Lease) -> None:
    """Mark what earlier holders of a lease may still write: at once, and an hour later for one that was paused."""
    rows = connection.execute(select(claims).where(claims.c.epoch < lease.epoch).order_by(claims.c.epoch)).all()
    now = connection.execute(select(now_ms(connection))).scalar_one()
    for row in rows:
        is_due = row.again_ms is None or not now < row.again_ms <= now + PAUSED_MS  # of another clock counts as due
        if is_due and connection.execute(IS_LIVE, {"creation": row.creation}).first() is not None:
            mark(connection, row.creation, json.loads(row.items))
        of_row = (claims.c.epoch == row.epoch) & (claims.c.creation == row.creation)
        if row.again_ms is None:
            connection.execute(update(claims).where(of_row).values(again_ms=now + PAUSED_MS))
        elif is_due:
            connection.execute(delete(claims).where(of_row))


def forget_applied(connection: Connection, creation: str, *, age_ms: int) -> None:
    """Delete the marks whose writes outlive a loss of power: those that the store acknowledged so long ago."""
    connection.execute(
        delete(marks).where(
            marks.c.creation == creation, marks.c.apply_ms.is_not(None), marks.c.apply_ms <= now_ms(connection) - age_ms
        )
    )


def reopen(connection: Connection, creation: str) -> None:
    """Apply again what a store acknowledged, but may have lost with its power."""
    again = update(marks).where(marks.c.creation == creation, marks.c.apply_ms.is_not(None))
    connection.execute(again.values(apply_ms=None))


def _change(row: Row[*tuple[Any, ...]], record: ArchiveRecord) -> Change:
    found, is_readable = None, True
    if row.document is not None and row.delete_time is None:
        try:
            found = item_rows.record_of(row, record.creation, record.archive)
        except RecordCorruptError:
            is_readable = False
    embedding = None if row.vector is None else decode(row.vector, row.digest, item=row.item)
    if isinstance(embedding, EmbeddingCorruptError) or (
        embedding is not None and embedding.shape != (record.embedding_size,)
    ):
        embedding = None
    return Change(row.item, row.ticket, row.revision or 0, found, is_readable, embedding)


class Marks:
    """The marks of all archives. Every method raises `BackendUnavailableError` if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        """Read and write them in a database."""
        self._database = database

    def mark(self, record: ArchiveRecord, ids: Collection[str], *, priority: int = BULK) -> None:
        """Mark items of which the vector store was found to say something else than the catalog."""
        self._database.write(lambda connection: mark(connection, record.creation, ids, priority=priority))

    def creations_with_changes(self) -> Sequence[str]:
        """Return the creations of the archives that have pending marks."""
        return self._database.read(creations_with_changes)

    def changes(self, record: ArchiveRecord, *, limit: int) -> list[Change]:
        """Return some marked items of an archive as they are now, the urgent ones first."""
        return self._database.read(lambda connection: changes(connection, record, limit=limit))

    def are_pending(self, record: ArchiveRecord, ids: Collection[str]) -> bool:
        """Return whether the vector store does not describe one of some items yet as the catalog does."""
        return self._database.read(
            lambda connection: any(is_pending(connection, record.creation, item) for item in ids)
        )

    def count_pending(self, record: ArchiveRecord, *, at_most: int) -> int:
        """Return how many marks of an archive are pending, but not more than `at_most`."""
        return self._database.read(lambda connection: count_pending(connection, record.creation, at_most=at_most))

    def claim(self, record: ArchiveRecord, ids: Sequence[str], lease: Lease) -> bool:
        """Note what is about to be written into the store; return False if the lease is lost: then do not write."""
        return self._database.write(lambda connection: claim(connection, lease, record.creation, ids))

    def recall_claims(self, lease: Lease) -> None:
        """Mark what earlier holders of the lease may still write."""
        self._database.write(lambda connection: recall_claims(connection, lease))

    def settle(self, record: ArchiveRecord, applied: Sequence[tuple[str, int]], lease: Lease | None = None) -> None:
        """Note which changes the store has acknowledged, by item and ticket; they were claimed if there is a lease."""

        def work(connection: Connection) -> None:
            if lease is None:
                settle(connection, record.creation, applied)
            else:
                settle_claim(connection, lease, record.creation, applied)

        self._database.write(work)

    def forget_applied(self, record: ArchiveRecord, *, age_ms: int) -> None:
        """Delete the marks whose writes outlive a loss of power: those acknowledged so long ago."""
        self._database.write(lambda connection: forget_applied(connection, record.creation, age_ms=age_ms))

    def reopen(self, record: ArchiveRecord) -> None:
        """Apply again what a store acknowledged, but may have lost with its power."""
        self._database.write(lambda connection: reopen(connection, record.creation))
