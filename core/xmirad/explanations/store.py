"""Explanations: what was asked, and how each attempt ended, in the catalog; their maps in the blob store."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from xmirad.blobs import keys
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.catalog import explanations as rows
from xmirad.catalog.database import Database
from xmirad.catalog.explanations import ExplanationRow, NewAttempt
from xmirad.catalog.occlusion import NewEntry
from xmirad.errors import ExplanationNotFoundError, XmiradError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest, ImageKind
from xmirad.explanations.results import (
    Fidelity,
    KeptMap,
    Outcome,
    error_from_document,
    error_to_document,
    fidelity_from_document,
    fidelity_to_document,
)
from xmirad.explanations.scoring import entries_of
from xmirad.types import ExplanationState

DAMAGED = (ValueError, KeyError, TypeError)
"""What a document raises that is not as it was written."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """An attempt at an explanation.

    Attributes:
        request: What was asked.
        attempt: Which attempt it is, from 1.
        queue: Where its tasks wait.
        create_time: When it was asked for, in seconds since 1970.
    """

    request: ExplanationRequest
    attempt: int
    queue: QueueName
    create_time: float


class ExplanationStore:
    """Requests, results, previews and fidelity. Safe to use from many threads and processes.

    Every method raises `BackendUnavailableError` if the catalog or the blob store cannot be used.
    """

    def __init__(self, database: Database, blobs: BlobStore, *, clock: Callable[[], float] = time.time) -> None:
        """Keep records in a catalog's database, and maps in a blob store."""
        self._database = database
        self._blobs = blobs
        self._clock = clock

    def put_request(self, request: ExplanationRequest, *, queue: QueueName, attempt: int) -> bool:
        """Store a request, and that it waits for its cache entries; the first of an attempt counts.

        Returns:
            Whether this was it.

        Raises:
            ItemNotFoundError: If one of its items is gone.
            ArchiveNotFoundError: If its archive is.
            BackendUnavailableError: If it, its query or a cache entry is just being deleted.
        """
        entries = [
            NewEntry(each.location, each.image, each.is_query, json.dumps(each.to_document()))
            for each in entries_of(request).values()
        ]
        attempt_of = NewAttempt(
            explanation=request.explanation,
            attempt=attempt,
            site=request.site,
            archive=request.archive,
            query=None if request.query.kind is ImageKind.ITEM else request.query.digest,
            items=request.items,
            queue=queue.value,
            request=json.dumps(request.to_document(), sort_keys=True),
        )
        now = self._clock()
        return self._database.write(partial(rows.put_attempt, new=attempt_of, entries=entries, now=now))

    def asked(self, explanation: str) -> Asked:
        """Return the latest attempt; one whose request cannot be read counts as absent.

        Raises:
            ExplanationNotFoundError: If there is none.
        """
        row = self._row(explanation)
        found = None if row is None else _asked(row)
        if found is None:
            message = "there is no such explanation"
            raise ExplanationNotFoundError(message, field="name", metadata={"explanation": explanation})
        return found

    def kept(self, asked: Asked | None) -> ExplanationRow | None:
        """Return all that is known of an attempt, for `put_back`."""
        return None if asked is None else self._row_of(asked)

    def put_back(self, row: ExplanationRow, *, attempt: int) -> None:
        """Let an explanation be as it was before an attempt that nobody works on."""
        self._database.write(lambda connection: rows.put_back(connection, row, attempt=attempt))

    def page(self, *, site: str, archive: str = "", after: str = "", limit: int) -> list[Asked]:
        """Return a site's explanations behind an id, in order; those of one archive, or of all if it is empty.

        What cannot be read is left out.
        """
        found: list[Asked] = []
        while len(found) < limit:
            page = self._database.read(
                partial(rows.page_of_explanations, site=site, archive=archive, after=after, limit=limit - len(found))
            )
            if not page:
                break
            found += [asked for row in page if (asked := _asked(row)) is not None]
            after = page[-1].explanation
        return found

    def finish(
        self,
        asked: Asked,
        state: ExplanationState,
        *,
        maps: Sequence[KeptMap] = (),
        error: XmiradError | None = None,
    ) -> bool:
        """Store how an attempt ended, which then waits for nothing; the first to say so counts.

        Returns:
            Whether this was it.
        """
        result = json.dumps({"maps": self._put_maps(asked, "map", maps), "error": error and error_to_document(error)})
        is_first = self._database.write(
            partial(
                rows.finish,
                explanation=asked.request.explanation,
                attempt=asked.attempt,
                state=state.value,
                now=self._clock(),
                result=result,
            )
        )
        if not is_first:
            self._leave_nothing(asked)
        return is_first

    def outcome(self, asked: Asked, *, with_maps: bool = True) -> Outcome | None:
        """Return how an attempt ended, or None if it has not.

        A result that cannot be read is taken back, so that it is computed again; without maps they are not looked at.
        """
        row = self._row_of(asked)
        if row is None or row.state is None or row.finish_time is None or row.result is None:
            return None
        state, error, maps = ExplanationState(row.state), None, None
        try:
            document = json.loads(row.result)
            error = error_from_document(document["error"]) if document["error"] else None
            maps = self._maps(asked, document["maps"]) if with_maps else ()
        except DAMAGED:
            _log.warning("explanation.result_unreadable", exc_info=True)
            maps = None
        if maps is None:
            self._database.write(partial(rows.take_back, explanation=row.explanation, attempt=row.attempt))
            return None
        fidelity, reason = _fidelity(row)
        if with_maps and len(fidelity) == len(maps):
            maps = tuple(kept.assessed(each) for kept, each in zip(maps, fidelity, strict=True))
        return Outcome(state, row.finish_time, maps, error, reason)

    def is_finished(self, asked: Asked) -> bool:
        """Return whether an attempt has ended."""
        row = self._row_of(asked)
        return row is not None and row.state is not None

    def put_preview(self, asked: Asked, maps: Sequence[KeptMap], *, windows: int) -> None:
        """Keep the maps that are there so far, in place of those from fewer windows."""
        row = self._row_of(asked)
        if row is None or row.preview_windows >= windows:
            return
        preview = json.dumps(self._put_maps(asked, f"preview-{windows}", maps))
        goes_on = self._database.write(
            lambda connection: rows.put_preview(
                connection, row.explanation, row.attempt, preview=preview, windows=windows
            )
        )
        if not goes_on:
            self._leave_nothing(asked)

    def preview(self, asked: Asked) -> tuple[KeptMap, ...]:
        """Return the latest preview, empty if there is none."""
        row = self._row_of(asked)
        try:
            return (row and row.preview and self._maps(asked, json.loads(row.preview))) or ()
        except DAMAGED:
            _log.warning("explanation.preview_unreadable", exc_info=True)
            return ()

    def put_fidelity(self, asked: Asked, fidelity: Sequence[Fidelity]) -> bool:
        """Keep what the maps are worth, in their order. Return whether nothing was kept before."""
        return self._put_fidelity(asked, {"maps": [fidelity_to_document(each) for each in fidelity]})

    def put_no_fidelity(self, asked: Asked, reason: str) -> bool:
        """Keep why it will never be known what the maps are worth. Return whether nothing was kept before."""
        return self._put_fidelity(asked, {"maps": [], "reason": reason})

    def is_assessed(self, asked: Asked) -> bool:
        """Return whether it is known what the maps are worth, or that it never will be."""
        row = self._row_of(asked)
        return row is not None and row.fidelity is not None

    def unfinished(self) -> Iterator[str]:
        """Yield the ids of the explanations that have not ended, in order."""
        after = ""
        while page := self._database.read(partial(rows.page_of_unfinished, after=after)):
            yield from page
            after = page[-1]

    def unassessed(self) -> Iterator[tuple[str, int, float]]:
        """Yield id, attempt and end of the explanations whose maps are not assessed, in order."""
        after = ""
        while page := self._database.read(partial(rows.page_of_unassessed, after=after)):
            yield from ((row.explanation, row.attempt, row.finish_time or 0.0) for row in page)
            after = page[-1].explanation

    def has(self, asked: Asked) -> bool:
        """Return whether this attempt is still the latest, and not deleted."""
        return self._row_of(asked) is not None

    def _put_fidelity(self, asked: Asked, document: Mapping[str, Any]) -> bool:
        text = json.dumps(document)
        return self._database.write(
            lambda connection: rows.put_fidelity(connection, asked.request.explanation, asked.attempt, fidelity=text)
        )

    def _row(self, explanation: str) -> ExplanationRow | None:
        return self._database.read(lambda connection: rows.find_explanation(connection, explanation))

    def _row_of(self, asked: Asked) -> ExplanationRow | None:
        row = self._row(asked.request.explanation)
        return row if row is not None and row.attempt == asked.attempt else None

    def _leave_nothing(self, asked: Asked) -> None:
        """Delete what was written for an attempt that was deleted meanwhile; purging it may be over already."""
        if not self.has(asked):
            for key in list(self._blobs.list(keys.attempt(asked.request.explanation, asked.attempt))):
                self._blobs.delete(key)

    def _put_maps(self, asked: Asked, name: str, maps: Sequence[KeptMap]) -> list[dict[str, Any]]:
        documents = []
        for kept in maps:
            pixels = kept.pixels()
            key = f"{name}-{kept.saliency.explained_image}"
            self._blobs.put(keys.attempt(asked.request.explanation, asked.attempt) + key, pixels)
            documents.append(kept.to_document() | {"blob": key, "sha256": hashlib.sha256(pixels).hexdigest()})
        return documents

    def _maps(self, asked: Asked, documents: Sequence[Mapping[str, Any]]) -> tuple[KeptMap, ...] | None:
        maps = []
        for document in documents:
            try:
                pixels = self._blobs.get(keys.attempt(asked.request.explanation, asked.attempt) + document["blob"])
            except BlobNotFoundError:
                return None
            if hashlib.sha256(pixels).hexdigest() != document["sha256"]:
                return None
            maps.append(KeptMap.from_document(document, pixels))
        return tuple(maps)


def _asked(row: ExplanationRow) -> Asked | None:
    try:
        request = ExplanationRequest.from_document(json.loads(row.request))
        return Asked(request, row.attempt, QueueName(row.queue), row.create_time)
    except DAMAGED:
        _log.warning("explanation.unreadable", extra={"explanation": row.explanation}, exc_info=True)
        return None


def _fidelity(row: ExplanationRow) -> tuple[tuple[Fidelity, ...], str]:
    """Return what maps are worth, or why that will never be known."""
    if row.fidelity is None:
        return (), ""
    try:
        document = json.loads(row.fidelity)
        return tuple(map(fidelity_from_document, document["maps"])), str(document.get("reason", ""))
    except DAMAGED:
        _log.warning("explanation.fidelity_unreadable", exc_info=True)
        return (), "UNREADABLE"
