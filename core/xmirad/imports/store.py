"""Imports in the blob store: what was asked, what was found, what became of the images, and how it ended."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xmirad.blobs import keys
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.errors import ImportNotFoundError, XmiradError
from xmirad.explanations.results import error_from_document, error_to_document
from xmirad.ids import import_name
from xmirad.imports.records import (
    ImportFailure,
    ImportOutcome,
    ImportPart,
    ImportPlan,
    ImportRequest,
    ImportSnapshot,
)
from xmirad.types import ImportState

REQUEST = "request.json"
PLAN = "plan.json"
PARTS = "parts/"
RESULT = "result.json"


class ImportStore:
    """Records of imports; each is written once. Safe to use from many threads and processes."""

    def __init__(self, blobs: BlobStore, *, clock: Callable[[], float] = time.time) -> None:
        """Keep them in a blob store."""
        self._blobs = blobs
        self._clock = clock

    def begin(
        self,
        archive: str,
        number: int,
        *,
        site: str,
        folder: str,
        split: str,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
    ) -> ImportRequest | None:
        """Store the request of an import, or return None if this number is taken."""
        request = ImportRequest(archive, number, site, folder, split, self._clock(), include, exclude)
        return request if self._put(archive, number, REQUEST, dataclasses.asdict(request)) else None

    def put_plan(self, request: ImportRequest, plan: ImportPlan) -> ImportPlan:
        """Store what was found, or return the plan that is there."""
        if self._put(request.archive, request.number, PLAN, dataclasses.asdict(plan)):
            return plan
        return self._plan(self._get(request.archive, request.number, PLAN) or {})

    def put_part(self, request: ImportRequest, part: ImportPart) -> None:
        """Store what became of some images; the first to say it of the same images counts."""
        failures = [{"path": each.path, "error": error_to_document(each.error)} for each in part.failures]
        document = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)} | {"failures": failures}
        self._put(request.archive, request.number, f"{PARTS}{part.segment:02d}-{part.first:09d}.json", document)

    def finish(self, request: ImportRequest, state: ImportState, error: XmiradError | None = None) -> None:
        """Store how an import ended; the first to say so counts."""
        document = {
            "state": state.value,
            "finish_time": self._clock(),
            "error": None if error is None else error_to_document(error),
        }
        self._put(request.archive, request.number, RESULT, document)

    def is_finished(self, request: ImportRequest) -> bool:
        """Return whether an import has ended."""
        return self._blobs.exists(keys.import_of(request.archive, request.number) + RESULT)

    def snapshot(self, archive: str, number: int) -> ImportSnapshot:
        """Return an import as it is now.

        Raises:
            ImportNotFoundError: If there is none.
        """
        request = self._get(archive, number, REQUEST)
        if request is None:
            name = import_name(archive, number)
            raise ImportNotFoundError(f"there is no {name}", field="name", metadata={"import": name})
        result = self._get(archive, number, RESULT)  # before the parts, which do not grow behind it
        plan = self._get(archive, number, PLAN)
        return ImportSnapshot(
            ImportRequest(**_with_tuples(request, "include", "exclude")),
            self._plan(plan) if plan else None,
            tuple(self._parts(archive, number)),
            _outcome(result) if result else None,
        )

    def latest(self, archive: str) -> ImportSnapshot | None:
        """Return the latest import into an archive, or None."""
        numbers = self.numbers(archive)
        return self.snapshot(archive, numbers[-1]) if numbers else None

    def numbers(self, archive: str) -> list[int]:
        """Return the numbers of the imports into an archive, in order."""
        return sorted({int(key.split("/")[2]) for key in self._blobs.list(keys.imports(archive))})

    def forget(self, archive: str) -> None:
        """Delete the records of all imports into an archive."""
        for key in list(self._blobs.list(keys.imports(archive))):
            self._blobs.delete(key)

    def _parts(self, archive: str, number: int) -> Iterator[ImportPart]:
        """Yield the parts that follow on each other; one behind a gap was overtaken by another of the same images."""
        prefix = keys.import_of(archive, number)
        ends: dict[int, int] = {}
        for key in list(self._blobs.list(prefix + PARTS)):
            document = self._get(archive, number, key.removeprefix(prefix))
            if document is None or document["first"] < ends.get(document["segment"], 0):
                continue
            ends[document["segment"]] = document["end"]
            failures = (
                ImportFailure(each["path"], error_from_document(each["error"])) for each in document["failures"]
            )
            yield ImportPart(**(document | {"failures": tuple(failures)}))

    def _plan(self, document: Mapping[str, Any]) -> ImportPlan:
        named = tuple((path, why) for path, why in document["first_unreadable"])
        return ImportPlan(**{**_with_tuples(document, "warnings"), "first_unreadable": named})

    def _put(self, archive: str, number: int, name: str, document: Mapping[str, Any]) -> bool:
        key = keys.import_of(archive, number) + name
        is_stored = self._blobs.put(key, json.dumps(document).encode(), if_absent=True)
        self._blobs.sync(key)
        return is_stored

    def _get(self, archive: str, number: int, name: str) -> dict[str, Any] | None:
        try:
            document: dict[str, Any] = json.loads(self._blobs.get(keys.import_of(archive, number) + name))
        except BlobNotFoundError:
            return None
        return document


def _with_tuples(document: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    return {**document, **{field: tuple(document[field]) for field in fields}}


def _outcome(document: Mapping[str, Any]) -> ImportOutcome:
    error = document["error"]
    state = ImportState(document["state"])
    return ImportOutcome(state, document["finish_time"], None if error is None else error_from_document(error))
