"""Statements on imports and their segments. Each takes a connection; documents are JSON.

One import runs in an archive at a time, which an index enforces. A segment moves on in one statement that names where
it was, so of two workers that have stored the same images one counts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog import archives as archive_rows
from xmirad.catalog.tables import archives, import_segments, imports
from xmirad.errors import ConcurrentImportError
from xmirad.ids import import_name


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """How far a segment is: the first image that is not settled, and what became of those before it."""

    segment: int
    position: int
    done: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import as it is now."""

    creation: str
    number: int
    name: str
    request: str
    plan: str | None
    result: str | None
    segments: tuple[SegmentRow, ...]


ROW = (imports.c.creation, imports.c.number, imports.c.name, imports.c.request, imports.c.plan, imports.c.result)
OF_ARCHIVE = (
    select(*ROW).join(archives, archives.c.creation == imports.c.creation).where(archives.c.delete_time.is_(None))
)
UNFINISHED = imports.c.result.is_(None)


def begin(connection: Connection, archive: str, *, site: str, request: str) -> tuple[str, int]:
    """Store the request of the next import into an archive; return the archive's creation id and the number.

    Raises:
        ArchiveNotFoundError: If there is no such archive.
        ConcurrentImportError: If another import into it is not finished.
    """
    record = archive_rows.find_archive(connection, archive)
    archive_rows.pass_gate(connection, record.creation, archive)
    last = connection.execute(
        select(func.max(imports.c.number)).where(imports.c.creation == record.creation)
    ).scalar_one()
    number = 1 + (last or 0)
    row = {"creation": record.creation, "number": number, "name": import_name(archive, number), "site": site}
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    put = engine.insert(imports).values(**row, request=request).on_conflict_do_nothing()
    if connection.execute(put.returning(imports.c.number)).first() is None:
        unfinished = select(imports.c.name).where(imports.c.creation == record.creation, UNFINISHED)
        running = connection.execute(unfinished).scalar_one_or_none() or import_name(archive, number)
        message = f"{running} is not finished; wait for it or cancel it"
        raise ConcurrentImportError(message, metadata={"import": running})
    return record.creation, number


def find_import(connection: Connection, archive: str, number: int) -> ImportRow | None:
    """Return an import into the archive of a name, or None."""
    return _first(connection, OF_ARCHIVE.where(archives.c.archive == archive, imports.c.number == number))


def current_import(connection: Connection, creation: str, number: int) -> ImportRow | None:
    """Return an import into an archive that is not deleted, or None."""
    return _first(connection, OF_ARCHIVE.where(imports.c.creation == creation, imports.c.number == number))


def latest_import(connection: Connection, archive: str) -> ImportRow | None:
    """Return the latest import into the archive of a name, or None."""
    latest = OF_ARCHIVE.where(archives.c.archive == archive).order_by(imports.c.number.desc()).limit(1)
    return _first(connection, latest)


def page_of_imports(connection: Connection, *, site: str, archive: str, after: str, limit: int) -> list[ImportRow]:
    """Return a site's imports behind a name, in the order of their names; into one archive, or all if it is empty."""
    page = OF_ARCHIVE.where(imports.c.site == site, imports.c.name > after).limit(limit)
    if archive:  # numbers are in the order of names there
        page = page.where(archives.c.archive == archive).order_by(imports.c.number)
    else:
        page = page.order_by(imports.c.name)
    return [_import(connection, row) for row in connection.execute(page).all()]


def put_plan(connection: Connection, creation: str, number: int, *, plan: str, firsts: Sequence[int]) -> None:
    """Store what is in the folder, and at which image each segment begins; the first plan counts."""
    row = update(imports).where(imports.c.creation == creation, imports.c.number == number, imports.c.plan.is_(None))
    if not connection.execute(row.values(plan=plan)).rowcount:
        return
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    key = {"creation": creation, "number": number, "done": "{}"}
    segments = [key | {"segment": segment, "position": first} for segment, first in enumerate(firsts)]
    connection.execute(engine.insert(import_segments).values(segments))


def move_on(
    connection: Connection, creation: str, number: int, *, segment: SegmentRow, done: str, position: int
) -> None:
    """Say what has become of the images of a segment before a position, unless somebody has said it already."""
    row = update(import_segments).where(
        import_segments.c.creation == creation,
        import_segments.c.number == number,
        import_segments.c.segment == segment.segment,
        import_segments.c.position == segment.position,
    )
    connection.execute(row.values(position=position, done=done))


def finish(connection: Connection, creation: str, number: int, *, result: str) -> None:
    """Say how an import ended; the first to say so counts."""
    row = update(imports).where(imports.c.creation == creation, imports.c.number == number, UNFINISHED)
    connection.execute(row.values(result=result))


def _first(connection: Connection, statement: Select[str, int, str, str, str | None, str | None]) -> ImportRow | None:
    row = connection.execute(statement).first()
    return None if row is None else _import(connection, row)


def _import(connection: Connection, row: Row[str, int, str, str, str | None, str | None]) -> ImportRow:
    of_import = (import_segments.c.creation == row.creation, import_segments.c.number == row.number)
    columns = (import_segments.c.segment, import_segments.c.position, import_segments.c.done)
    segments = connection.execute(select(*columns).where(*of_import).order_by(import_segments.c.segment)).all()
    return ImportRow(*row, tuple(SegmentRow(*each) for each in segments))
