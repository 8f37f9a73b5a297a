"""Statements on items and their tombstones. Each takes a connection.

An item has one row for ever: its record, which a later revision replaces; its tombstone, once it was deleted; and its
revision, which goes on from there if it is stored again.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Row,
    Select,
    bindparam,
    delete,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog import archives as archive_rows
from xmirad.catalog.embeddings import delete_embeddings, put_embedding
from xmirad.catalog.records import ArchiveRecord, ItemRecord, ItemReference, ItemState, decode_item, encode_item
from xmirad.catalog.tables import archives, items, marks
from xmirad.errors import RecordCorruptError
from xmirad.ids import item_name
from xmirad.types import Float32Array, OriginalsPolicy

PAGE = 500
"""Rows of a page, and of a transaction that deletes: SQLite overwrites what it deletes, which takes time."""
IS_RECORDED = items.c.document.is_not(None)
HAS_NO_TOMBSTONE = items.c.delete_time.is_(None)
RECORD = (items.c.item, items.c.revision, items.c.image, items.c.file, items.c.document)
REFERENCE = (items.c.item, items.c.image, items.c.file)
# Constants that the partial indexes name must stand in the statement itself: PostgreSQL plans before it sees values.
LIVE = select(*RECORD).where(IS_RECORDED, HAS_NO_TOMBSTONE).order_by(items.c.item).limit(PAGE)
HALF_DELETED = (
    select(*REFERENCE).where(IS_RECORDED, items.c.delete_time.is_not(None)).order_by(items.c.item).limit(PAGE)
)
ANY_REFERENCE = select(*REFERENCE).where(IS_RECORDED)
USERS = (
    select(items.c.image)
    .join(archives, archives.c.creation == items.c.creation)
    .where(IS_RECORDED, HAS_NO_TOMBSTONE, archives.c.delete_time.is_(None))
)

# Statements that an upload or a search waits for are made once: making one takes longer than running it.
OF_ARCHIVE = (
    select(*RECORD)
    .join(archives, archives.c.creation == items.c.creation)
    .where(items.c.creation == bindparam("creation"), archives.c.delete_time.is_(None), IS_RECORDED, HAS_NO_TOMBSTONE)
)
ONE_OF_ARCHIVE = OF_ARCHIVE.where(items.c.item == bindparam("item"))
NOT_LIVE = """SELECT wanted.value FROM {wanted} WHERE NOT EXISTS (
        SELECT 1 FROM items WHERE items.creation = :creation AND items.item = wanted.value
        AND items.document IS NOT NULL AND items.delete_time IS NULL
    )
"""
NOT_LIVE_OF = {
    "sqlite": text(NOT_LIVE.format(wanted="json_each(:ids) AS wanted")),
    "postgresql": text(NOT_LIVE.format(wanted="json_array_elements_text(CAST(:ids AS json)) AS wanted(value)")),
}
OF_ITEM = (items.c.creation == bindparam("creation"), items.c.item == bindparam("item"))
STATE = select(*RECORD, items.c.delete_time).where(*OF_ITEM)
LIVE_STATE = select(*REFERENCE).where(*OF_ITEM, IS_RECORDED, HAS_NO_TOMBSTONE).with_for_update(read=True)
DELETED_STATE = select(*REFERENCE).where(*OF_ITEM, IS_RECORDED, items.c.delete_time.is_not(None)).with_for_update()


def _put(inserted: sqlite.Insert | postgresql.Insert, *, restore: bool) -> Executable:
    new = inserted.excluded
    changes = {name: new[name] for name in ("revision", "image", "file", "document", "delete_time")}
    is_later = items.c.revision < new.revision
    put = inserted.on_conflict_do_update(
        index_elements=["creation", "item"],
        set_=changes,
        where=is_later if restore else is_later & HAS_NO_TOMBSTONE,
    )
    return put.returning(items.c.item)


PUT = {
    (name, restore): _put(engine.insert(items), restore=restore)
    for name, engine in (("sqlite", sqlite), ("postgresql", postgresql))
    for restore in (False, True)
}


def put_item(
    connection: Connection, record: ItemRecord, embedding: Float32Array | None = None, *, restore: bool = False
) -> bool:
    """Store a record and its embedding unless its revision or a later one is there; return whether they were stored.

    Without an embedding the one that is there stays. Without `restore` nothing is stored while there is a tombstone.

    Raises:
        ArchiveNotFoundError: If the archive was deleted.
    """
    archive_rows.pass_gate(connection, record.creation, record.archive)
    row = {
        "creation": record.creation,
        "item": record.item,
        "revision": record.revision,
        "image": record.image,
        "file": record.file,
        "document": encode_item(record),
        "delete_time": None,
    }
    if connection.execute(PUT[connection.dialect.name, restore], row).first() is None:
        return False
    if embedding is not None:
        put_embedding(connection, record.creation, record.item, embedding)
    return True


def find_item(connection: Connection, record: ArchiveRecord, item: str) -> ItemRecord | None:
    """Return an item of an archive, or None.

    Raises:
        RecordCorruptError: If its record cannot be read.
    """
    row = connection.execute(ONE_OF_ARCHIVE, {"creation": record.creation, "item": item}).one_or_none()
    return None if row is None else record_of(row, record.creation, record.archive)


def find_items(
    connection: Connection, record: ArchiveRecord, ids: Collection[str]
) -> list[ItemRecord | RecordCorruptError]:
    """Return those of some items that an archive holds, those that cannot be read as errors."""
    rows = connection.execute(OF_ARCHIVE.where(items.c.item.in_(ids)), {"creation": record.creation}).all()
    return [_record_or_error(row, record.creation, record.archive) for row in rows]


def item_state(connection: Connection, record: ArchiveRecord, item: str) -> ItemState:
    """Return what is known of an item.

    Raises:
        RecordCorruptError: If its record cannot be read.
    """
    row = connection.execute(STATE, {"creation": record.creation, "item": item}).one_or_none()
    if row is None:
        return ItemState(None, 0, False)
    found = None if row.document is None else record_of(row, record.creation, record.archive)
    return ItemState(found, row.revision, row.delete_time is not None)


def page_of_items(
    connection: Connection, record: ArchiveRecord, *, after: str
) -> tuple[list[ItemRecord | RecordCorruptError], str]:
    """Return the next items by id, those that cannot be read as errors, and the last one's id; empty at the end."""
    rows = connection.execute(LIVE.where(items.c.creation == record.creation, items.c.item > after)).all()
    page = [_record_or_error(row, record.creation, record.archive) for row in rows]
    return page, rows[-1].item if rows else ""


def page_of_half_deleted(connection: Connection, creation: str, *, after: str) -> list[ItemReference]:
    """Return the next items that have a tombstone and their records still."""
    return _references(connection, HALF_DELETED.where(items.c.creation == creation, items.c.item > after))


def references(connection: Connection, record: ArchiveRecord, ids: Sequence[str]) -> list[ItemReference]:
    """Return those of some items that have a record, whether or not they have a tombstone."""
    return _references(connection, ANY_REFERENCE.where(items.c.creation == record.creation, items.c.item.in_(ids)))


def add_tombstones(connection: Connection, record: ArchiveRecord, ids: Sequence[str], *, now: float) -> None:
    """Give items a tombstone and another revision; those that were never stored as well.

    Raises:
        ArchiveNotFoundError: If the archive was deleted.
    """
    archive_rows.pass_gate(connection, record.creation, record.archive)
    rows = [{"creation": record.creation, "item": item, "revision": 1, "delete_time": now} for item in sorted(set(ids))]
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    put = engine.insert(items).values(rows)
    change = {"delete_time": put.excluded.delete_time, "revision": items.c.revision + 1}
    connection.execute(put.on_conflict_do_update(index_elements=["creation", "item"], set_=change))


def forget_items(connection: Connection, record: ArchiveRecord, ids: Sequence[str]) -> list[ItemReference]:
    """Delete the records and embeddings of those of some items that have a tombstone; return what they used.

    Revision and tombstone stay.
    """
    deleted = HALF_DELETED.where(items.c.creation == record.creation, items.c.item.in_(ids))
    found = _references(connection, deleted.with_for_update())
    gone = [each.item for each in found]
    rows = update(items).where(items.c.creation == record.creation, items.c.item.in_(gone))
    connection.execute(rows.values(image=None, file=None, document=None))
    delete_embeddings(connection, record.creation, gone)
    return found


def delete_items(connection: Connection, creation: str) -> tuple[int, list[ItemReference]]:
    """Delete some rows of an archive that is gone; return how many, and what they used: none are left once it is 0."""
    some = select(*REFERENCE).where(items.c.creation == creation).order_by(items.c.item).limit(PAGE)
    rows = connection.execute(some).all()
    ids = [row.item for row in rows]
    if ids:
        delete_embeddings(connection, creation, ids)
        connection.execute(delete(marks).where(marks.c.creation == creation, marks.c.item.in_(ids)))
        connection.execute(delete(items).where(items.c.creation == creation, items.c.item.in_(ids)))
    return len(rows), [ItemReference(*row) for row in rows if row.image is not None]


def lock_live(connection: Connection, record: ItemRecord) -> bool:
    """Return whether an item has the image and the file of a record; if so, nobody deletes it in this transaction."""
    found = connection.execute(LIVE_STATE, {"creation": record.creation, "item": record.item}).one_or_none()
    return found is not None and (found.image, found.file) == (record.image, record.file)


def lock_deleted(connection: Connection, record: ItemRecord) -> list[ItemReference]:
    """Return what an item used that was deleted, and has its record still."""
    return _references(connection, DELETED_STATE, {"creation": record.creation, "item": record.item})


def images_in_use(connection: Connection, digests: Collection[str]) -> set[str]:
    """Return those of some images that items of any archive of any site use."""
    return set(connection.execute(USERS.where(items.c.image.in_(digests))).scalars())


def files_to_keep(connection: Connection, digests: Collection[str]) -> set[str]:
    """Return those of some files that items use whose archives keep files."""
    users = USERS.with_only_columns(items.c.file).where(items.c.file.in_(digests))
    return set(connection.execute(users.where(archives.c.originals == OriginalsPolicy.COPY.value)).scalars())


def not_live(connection: Connection, creation: str, ids: Sequence[str]) -> set[str]:
    """Return those of some items that an archive does not hold, however many are asked for: one statement."""
    statement = NOT_LIVE_OF[connection.dialect.name]
    return set(connection.execute(statement, {"creation": creation, "ids": json.dumps(list(ids))}).scalars())


def page_of_revisions(connection: Connection, creation: str, *, after: str, limit: int) -> list[tuple[str, int]]:
    """Return ids and revisions of the next items that are not deleted."""
    of_archive = LIVE.with_only_columns(items.c.item, items.c.revision).limit(limit)
    rows = connection.execute(of_archive.where(items.c.creation == creation, items.c.item > after))
    return [(row.item, row.revision) for row in rows]


def has_items(connection: Connection, record: ArchiveRecord) -> bool:
    """Return whether an archive holds an item that is not deleted."""
    some = LIVE.with_only_columns(literal(1)).where(items.c.creation == record.creation).limit(1)
    return connection.execute(some).first() is not None


def corrupt_item(error: RecordCorruptError) -> str:
    """Return the id of the item whose record cannot be read."""
    return error.metadata["item"].rpartition("/")[2]


def _references(
    connection: Connection, statement: Select[*tuple[Any, ...]], values: Mapping[str, str] | None = None
) -> list[ItemReference]:
    return [ItemReference(*row) for row in connection.execute(statement, values).all()]


def _record_or_error(row: Row[*tuple[Any, ...]], creation: str, archive: str) -> ItemRecord | RecordCorruptError:
    try:
        return record_of(row, creation, archive)
    except RecordCorruptError as error:
        return error


def record_of(row: Row[*tuple[Any, ...]], creation: str, archive: str) -> ItemRecord:
    """Return the record in a row that has its columns.

    Raises:
        RecordCorruptError: If it cannot be read.
    """
    columns = {"item": row.item, "revision": row.revision, "image": row.image, "file": row.file}
    try:
        return decode_item(row.document, creation=creation, archive=archive, **columns)
    except (KeyError, TypeError, ValueError) as error:
        message = "the item's record cannot be read: delete the item, or put the catalog back from your backup"
        metadata = {"archive": archive, "item": item_name(archive, row.item)}
        raise RecordCorruptError(message, metadata=metadata) from error
