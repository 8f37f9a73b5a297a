"""Statements on archives. Each takes a connection; who calls several in one transaction sees one state."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog.records import ArchiveRecord, DeletedArchive, IndexState
from xmirad.catalog.tables import archives, calibrations, gates, import_segments, imports, indexes, marks
from xmirad.errors import ArchiveNotFoundError, RecordCorruptError
from xmirad.types import OriginalsPolicy

IS_LIVE = archives.c.delete_time.is_(None)
FIELDS = [column for column in archives.c if column.name != "delete_time"]
BY_NAME = select(*FIELDS).where(IS_LIVE)
LIVE = BY_NAME.order_by(archives.c.site, archives.c.archive)
OPEN_GATE = (
    select(gates.c.creation)
    .join(archives, archives.c.creation == gates.c.creation)
    .where(gates.c.creation == bindparam("creation"), gates.c.is_open, IS_LIVE)
    .with_for_update(read=True, of=gates)
)
DELETED = (
    select(archives.c.creation, archives.c.archive)
    .where(archives.c.delete_time.is_not(None))
    .order_by(archives.c.archive)
)


def insert_archive(connection: Connection, record: ArchiveRecord) -> None:
    """Insert an archive with its gate, unless its site has one of that name."""
    values = {column.name: getattr(record, column.name) for column in FIELDS} | {"originals": record.originals.value}
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = engine.insert(archives).values(values).on_conflict_do_nothing().returning(archives.c.creation)
    if connection.execute(statement).first() is not None:
        connection.execute(insert(gates).values(creation=record.creation, is_open=True))
        connection.execute(
            insert(indexes).values(creation=record.creation, state=IndexState.LIVE, is_live=True, done=0, total=0)
        )


def find_archive(connection: Connection, site: str, archive: str) -> ArchiveRecord:
    """Return the archive of a name at a site.

    Raises:
        ArchiveNotFoundError: If there is none.
        RecordCorruptError: If its record cannot be read.
    """
    row = connection.execute(BY_NAME.where(archives.c.site == site, archives.c.archive == archive)).one_or_none()
    if row is None:
        raise not_found(archive)
    return _record(row)


def list_archives(connection: Connection) -> Iterator[ArchiveRecord | RecordCorruptError]:
    """Yield all archives by site and name, those that cannot be read as errors."""
    for row in connection.execute(LIVE).all():
        try:
            yield _record(row)
        except RecordCorruptError as error:
            yield error


def list_deleted(connection: Connection) -> list[DeletedArchive]:
    """Return the archives that were deleted, and whose rows are there still."""
    return [DeletedArchive(*row) for row in connection.execute(DELETED).all()]


def mark_deleted(connection: Connection, record: ArchiveRecord, *, now: float) -> None:
    """Take an archive's name away from it.

    Raises:
        ArchiveNotFoundError: If it was deleted already.
    """
    marked = update(archives).where(archives.c.creation == record.creation, IS_LIVE).values(delete_time=now)
    if not connection.execute(marked).rowcount:
        raise not_found(record.archive)


def close_gate(connection: Connection, creation: str) -> None:
    """Let nobody write items of a deleted archive any more; waits for those under way."""
    connection.execute(update(gates).where(gates.c.creation == creation).values(is_open=False))


def pass_gate(connection: Connection, creation: str, archive: str) -> None:
    """Keep an archive from being collected until the transaction ends.

    Raises:
        ArchiveNotFoundError: If it was deleted.
    """
    if connection.execute(OPEN_GATE, {"creation": creation}).one_or_none() is None:
        raise not_found(archive)


def delete_archive(connection: Connection, creation: str) -> None:
    """Delete an archive's rows; its items are gone already."""
    for table in (import_segments, imports, calibrations, marks, indexes, gates, archives):
        connection.execute(delete(table).where(table.c.creation == creation))


def not_found(archive: str) -> ArchiveNotFoundError:
    """Return what to tell whoever asks for an archive that is not there."""
    return ArchiveNotFoundError(f"there is no archive {archive}", metadata={"archive": archive})


def _record(row: Row[*tuple[Any, ...]]) -> ArchiveRecord:
    values: dict[str, Any] = row._asdict()
    try:
        if not isinstance(values["embedding_size"], int) or not isinstance(values["create_time"], float):
            raise ValueError("a number was expected")  # SQLite stores any type in any column
        return ArchiveRecord(**{**values, "originals": OriginalsPolicy(values["originals"])})
    except ValueError as error:
        message = f"the record of archive {values['archive']} cannot be read: put the catalog back from your backup"
        raise RecordCorruptError(message, metadata={"archive": str(values["archive"])}) from error
