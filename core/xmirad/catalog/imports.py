"""Statements on imports and their segments. Each takes a connection; documents are JSON.

One import runs in an archive at a time, which an index enforces. A segment moves on in one statement that names where
it was, so of two workers that have stored the same images one counts them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, Select, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog import archives as archive_rows
from xmirad.catalog import requests
from xmirad.catalog.tables import archives, import_segments, imports
from xmirad.errors import BackendUnavailableError, ConcurrentImportError
from xmirad.ids import import_name

PAGE = 200
BEGUN_SECONDS = 0.5


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
_others = imports.alias()


LATEST = OF_ARCHIVE.where(
    imports.c.number
    == select(func.max(_others.c.number)).where(_others.c.creation == archives.c.creation).scalar_subquery()
)


def begin(
    connection: Connection, archive: str, *, site: str, request: str, answer: Callable[[str, int], bytes]
) -> tuple[str, int]:
    """Store the request of the next import into an archive; return the archive's creation id and the number.

    `answer` maps them to what a replay of the call that begins it is answered with.

    Raises:
        ArchiveNotFoundError: If there is no such archive.
        ConcurrentImportError: If another import into it is not finished.
        BackendUnavailableError: If another one was begun and has ended in this moment.
    """
    record = archive_rows.find_archive(connection, site, archive)
    archive_rows.pass_gate(connection, record.creation, archive)
    last = connection.execute(
        select(func.max(imports.c.number)).where(imports.c.creation == record.creation)
    ).scalar_one()
    number = 1 + (last or 0)
    row = {"creation": record.creation, "number": number, "name": import_name(archive, number), "site": site}
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    put = engine.insert(imports).values(**row, request=request).on_conflict_do_nothing()
    if connection.execute(put.returning(imports.c.number)).first() is None:
        require_idle(connection, record.creation)
        message = "another import was begun just now; try again"
        raise BackendUnavailableError(message, metadata={"backend": "catalog"}, retry_delay_seconds=BEGUN_SECONDS)
    requests.note_result(connection, answer(record.creation, number))
    return record.creation, number


def require_idle(connection: Connection, creation: str) -> None:
    """Refuse what must not happen while an import fills an archive.

    Raises:
        ConcurrentImportError: If one does.
    """
    unfinished = select(imports.c.name).where(imports.c.creation == creation, UNFINISHED)
    running = connection.execute(unfinished).scalar_one_or_none()
    if running is not None:
        message = f"{running} is not finished; wait for it or cancel it"
        raise ConcurrentImportError(message, metadata={"import": running})


def find_import(connection: Connection, site: str, archive: str, number: int) -> ImportRow | None:
    """Return an import into a site's archive, or None."""
    of_archive = OF_ARCHIVE.where(archives.c.site == site, archives.c.archive == archive)
    return _first(connection, of_archive.where(imports.c.number == number))


def current_import(connection: Connection, creation: str, number: int) -> ImportRow | None:
    """Return an import into an archive that is not deleted, or None."""
    return _first(connection, OF_ARCHIVE.where(imports.c.creation == creation, imports.c.number == number))


def latest_imports(connection: Connection) -> list[ImportRow]:
    """Return the latest import into each archive that has one."""
    return _with_segments(connection, connection.execute(LATEST).all())


def page_of_imports(connection: Connection, *, site: str, archive: str, after: str, limit: int) -> list[ImportRow]:
    """Return a site's imports behind a name, in the order of their names; into one archive, or all if it is empty."""
    page = OF_ARCHIVE.where(imports.c.site == site, imports.c.name > after).limit(limit)
    if archive:  # numbers are in the order of names there
        page = page.where(archives.c.archive == archive).order_by(imports.c.number)
    else:
        page = page.order_by(imports.c.name)
    return _with_segments(connection, connection.execute(page).all())


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
    return next(iter(_with_segments(connection, connection.execute(statement).fetchmany(1))), None)


def _with_segments(
    connection: Connection, rows: Sequence[Row[str, int, str, str, str | None, str | None]]
) -> list[ImportRow]:
    """Return imports with their segments, which one statement reads for some hundred of them."""
    segments: dict[tuple[str, int], list[SegmentRow]] = {(row.creation, row.number): [] for row in rows}
    keys, columns = list(segments), import_segments.c
    for first in range(0, len(keys), PAGE):
        of_imports = tuple_(columns.creation, columns.number).in_(keys[first : first + PAGE])
        found = select(columns.creation, columns.number, columns.segment, columns.position, columns.done)
        for row in connection.execute(found.where(of_imports).order_by(columns.segment)):
            segments[row.creation, row.number].append(SegmentRow(row.segment, row.position, row.done))
    return [ImportRow(*row, tuple(segments[row.creation, row.number])) for row in rows]
