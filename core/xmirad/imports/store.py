"""Imports in the catalog: what was asked, what was found, what became of the images, and how it ended."""

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from xmirad.catalog import imports as rows
from xmirad.catalog.database import Database
from xmirad.catalog.imports import ImportRow, SegmentRow
from xmirad.errors import ImportNotFoundError, RecordCorruptError, XmiradError
from xmirad.explanations.results import error_from_document, error_to_document
from xmirad.ids import import_name
from xmirad.imports.records import (
    MOST_FAILURES,
    ImportFailure,
    ImportOutcome,
    ImportPart,
    ImportPlan,
    ImportRequest,
    ImportSnapshot,
)
from xmirad.types import ImportState

_log = logging.getLogger(__name__)
COUNTS = ("created", "updated", "unchanged", "failed")


class ImportStore:
    """Records of imports. Safe to use from many threads and processes.

    Every method raises `BackendUnavailableError` if the catalog cannot be used.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """Keep them in a catalog's database."""
        self._database = database
        self._clock = clock

    def begin(self, wanted: ImportRequest, *, answer: Callable[[ImportSnapshot], bytes]) -> ImportSnapshot:
        """Store the request of the next import into an archive, and return it with its creation and number.

        Args:
            wanted: The request; its creation, number and time are filled in.
            answer: Maps the import to what a replay of the call is answered with.

        Raises:
            ArchiveNotFoundError: If there is no such archive.
            ConcurrentImportError: If another import into it is not finished.
        """
        request = dataclasses.replace(wanted, create_time=self._clock())

        def begun(creation: str, number: int) -> ImportSnapshot:
            return ImportSnapshot(dataclasses.replace(request, creation=creation, number=number))

        creation, number = self._database.write(
            partial(
                rows.begin,
                archive=request.archive,
                site=request.site,
                request=json.dumps(dataclasses.asdict(request)),
                answer=lambda creation, number: answer(begun(creation, number)),
            )
        )
        return begun(creation, number)

    def put_plan(self, request: ImportRequest, plan: ImportPlan) -> ImportPlan:
        """Store what was found, or return the plan that is there.

        Raises:
            ImportNotFoundError: If the archive was deleted meanwhile.
        """
        row = self._current(request.creation, request.number)
        firsts = [plan.bounds(segment)[0] for segment in range(plan.segments)]
        document = json.dumps(dataclasses.asdict(plan))
        self._database.write(
            partial(rows.put_plan, creation=row.creation, number=row.number, plan=document, firsts=firsts)
        )
        return self.current(request.creation, request.number).plan or plan

    def put_part(self, request: ImportRequest, part: ImportPart) -> None:
        """Store what became of some images; the first to say it of the same images counts.

        Raises:
            ImportNotFoundError: If the archive was deleted meanwhile.
        """
        row = self._current(request.creation, request.number)
        before = next(each for each in row.segments if each.segment == part.segment)
        if before.position != part.first:
            return
        so_far = json.loads(before.done)
        failures = [{"path": each.path, "error": error_to_document(each.error)} for each in part.failures]
        done = {name: so_far.get(name, 0) + getattr(part, name) for name in COUNTS}
        done["failures"] = [*so_far.get("failures", []), *failures][:MOST_FAILURES]
        move = partial(rows.move_on, creation=row.creation, number=row.number, segment=before)
        self._database.write(partial(move, done=json.dumps(done), position=part.end))

    def finish(self, request: ImportRequest, state: ImportState, error: XmiradError | None = None) -> None:
        """Store how an import ended; the first to say so counts.

        Raises:
            ImportNotFoundError: If the archive was deleted meanwhile.
        """
        row = self._current(request.creation, request.number)
        document = {
            "state": state.value,
            "finish_time": self._clock(),
            "error": None if error is None else error_to_document(error),
        }
        self._database.write(
            partial(rows.finish, creation=row.creation, number=row.number, result=json.dumps(document))
        )

    def is_finished(self, request: ImportRequest) -> bool:
        """Return whether an import has ended, or is gone with its archive."""
        row = self._database.read(partial(rows.current_import, creation=request.creation, number=request.number))
        return row is None or row.result is not None

    def snapshot(self, site: str, archive: str, number: int) -> ImportSnapshot:
        """Return an import into a site's archive as it is now.

        Raises:
            ImportNotFoundError: If there is none.
            RecordCorruptError: If it cannot be read.
        """
        row = self._database.read(partial(rows.find_import, site=site, archive=archive, number=number))
        if row is None:
            name = import_name(archive, number)
            raise ImportNotFoundError(f"there is no {name}", field="name", metadata={"import": name})
        return _snapshot(row)

    def current(self, creation: str, number: int) -> ImportSnapshot:
        """Return an import into an archive by its creation id.

        Raises:
            ImportNotFoundError: If there is none, because the archive was deleted.
            RecordCorruptError: If it cannot be read.
        """
        return _snapshot(self._current(creation, number))

    def latest(self) -> list[ImportSnapshot]:
        """Return the latest import into each archive; those that cannot be read are logged and left out."""
        return list(filter(None, map(_readable, self._database.read(rows.latest_imports))))

    def require_idle(self, creation: str) -> None:
        """Refuse what must not happen while an import fills an archive.

        Raises:
            ConcurrentImportError: If one does.
        """
        self._database.read(partial(rows.require_idle, creation=creation))

    def page(self, *, site: str, archive: str, after: str, limit: int) -> list[ImportSnapshot]:
        """Return a site's imports behind a name, in the order of their names; into one archive, or all for "".

        Those that cannot be read are logged and left out.
        """
        found: list[ImportSnapshot] = []
        while len(found) < limit:
            page = partial(rows.page_of_imports, site=site, archive=archive, after=after, limit=limit - len(found))
            read = self._database.read(page)
            if not read:
                break
            found += filter(None, map(_readable, read))
            after = read[-1].name
        return found

    def _current(self, creation: str, number: int) -> ImportRow:
        row = self._database.read(partial(rows.current_import, creation=creation, number=number))
        if row is None:
            message = "the archive that was to be filled is gone"
            raise ImportNotFoundError(message, field="name", metadata={"number": str(number)})
        return row


def _readable(row: ImportRow) -> ImportSnapshot | None:
    try:
        return _snapshot(row)
    except RecordCorruptError as error:
        _log.warning("import.unreadable", extra={"reason": error.reason, **error.metadata})
        return None


def _snapshot(row: ImportRow) -> ImportSnapshot:
    try:
        return _read(row)
    except (KeyError, TypeError, ValueError) as error:
        message = (
            f"the record of {row.name} cannot be read: put the catalog back from your backup, or delete the archive"
        )
        raise RecordCorruptError(message, metadata={"import": row.name}) from error


def _read(row: ImportRow) -> ImportSnapshot:
    request = _with_tuples(json.loads(row.request), "include", "exclude")
    request |= {"creation": row.creation, "number": row.number}
    plan = _plan(json.loads(row.plan)) if row.plan else None
    parts = tuple(_part(plan, segment) for segment in row.segments) if plan else ()
    return ImportSnapshot(
        ImportRequest(**request), plan, parts, _outcome(json.loads(row.result)) if row.result else None
    )


def _part(plan: ImportPlan, segment: SegmentRow) -> ImportPart:
    done = json.loads(segment.done)
    failures = (ImportFailure(each["path"], error_from_document(each["error"])) for each in done.get("failures", []))
    counts = {name: done.get(name, 0) for name in COUNTS}
    first = plan.bounds(segment.segment)[0]
    return ImportPart(segment.segment, first, segment.position, **counts, failures=tuple(failures))


def _plan(document: Mapping[str, Any]) -> ImportPlan:
    named = tuple((path, why) for path, why in document["first_unreadable"])
    return ImportPlan(**{**_with_tuples(document, "warnings"), "first_unreadable": named})


def _with_tuples(document: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    return {**document, **{field: tuple(document[field]) for field in fields}}


def _outcome(document: Mapping[str, Any]) -> ImportOutcome:
    error = document["error"]
    state = ImportState(document["state"])
    return ImportOutcome(state, document["finish_time"], None if error is None else error_from_document(error))
