"""Explanations in the blob store: what was asked, and how each attempt ended. This is the truth about them."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xmirad.blobs import keys
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.errors import EmbeddingCorruptError, ExplanationNotFoundError, XmiradError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest
from xmirad.explanations.results import (
    Fidelity,
    KeptMap,
    Outcome,
    error_from_document,
    error_to_document,
    fidelity_from_document,
    fidelity_to_document,
)
from xmirad.explanations.sealing import sealed, unsealed
from xmirad.types import ExplanationState

REQUEST = "request.json"
RESULT = "result.json"
PREVIEW = "preview.json"
FIDELITY = "fidelity.json"
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
    """Requests, results, previews and fidelity. Safe to use from many threads and processes."""

    def __init__(self, blobs: BlobStore, *, clock: Callable[[], float] = time.time) -> None:
        """Keep them in a blob store."""
        self._blobs = blobs
        self._clock = clock

    def put_request(self, request: ExplanationRequest, *, queue: QueueName, attempt: int) -> bool:
        """Store a request; the first of an attempt counts. Return whether this was it."""
        document = {"request": request.to_document(), "queue": queue.value, "create_time": self._clock()}
        return self._put(request.explanation, attempt, REQUEST, document, if_absent=True)

    def asked(self, explanation: str) -> Asked:
        """Return the latest attempt; one whose request cannot be read counts as absent.

        Raises:
            ExplanationNotFoundError: If there is none.
        """
        names = {key.split("/")[2] for key in self._blobs.list(keys.explanation(explanation))}
        for attempt in sorted((int(name) for name in names if name.isdecimal()), reverse=True):
            document = self._get(explanation, attempt, REQUEST)
            if document is None:
                continue
            try:
                request = ExplanationRequest.from_document(document["request"])
                return Asked(request, attempt, QueueName(document["queue"]), float(document["create_time"]))
            except (ValueError, KeyError, TypeError):
                _log.warning("explanation.unreadable", exc_info=True)
        message = "there is no such explanation"
        raise ExplanationNotFoundError(message, field="name", metadata={"explanation": explanation})

    def finish(
        self,
        asked: Asked,
        state: ExplanationState,
        *,
        maps: Sequence[KeptMap] = (),
        error: XmiradError | None = None,
    ) -> bool:
        """Store how an attempt ended; the first to say so counts. Return whether this was it."""
        document = {
            "state": state.value,
            "finish_time": self._clock(),
            "maps": self._put_maps(asked, "map", maps),
            "error": error and error_to_document(error),
        }
        return self._put(asked.request.explanation, asked.attempt, RESULT, document, if_absent=True)

    def outcome(self, asked: Asked) -> Outcome | None:
        """Return how an attempt ended, or None if it has not; a result that cannot be read is taken away."""
        explanation, attempt = asked.request.explanation, asked.attempt
        document = self._get(explanation, attempt, RESULT)
        if document is None:
            return None
        maps = self._maps(asked, document["maps"])
        if maps is None:
            self._blobs.delete(keys.attempt(explanation, attempt) + RESULT)
            return None
        error = document["error"]
        fidelity = self.fidelity(asked)
        return Outcome(
            ExplanationState(document["state"]),
            document["finish_time"],
            tuple(kept.assessed(each) for kept, each in zip(maps, fidelity, strict=True)) if fidelity else maps,
            error and error_from_document(error),
            self.no_fidelity(asked),
        )

    def is_finished(self, asked: Asked) -> bool:
        """Return whether an attempt has ended."""
        return self._blobs.exists(keys.attempt(asked.request.explanation, asked.attempt) + RESULT)

    def put_preview(self, asked: Asked, maps: Sequence[KeptMap], *, windows: int) -> None:
        """Keep the maps that are there so far, in place of those from fewer windows."""
        before = self._get(asked.request.explanation, asked.attempt, PREVIEW)
        if before is not None and before["windows"] >= windows:
            return
        document = {"maps": self._put_maps(asked, f"preview-{windows}", maps), "windows": windows}
        self._put(asked.request.explanation, asked.attempt, PREVIEW, document, if_absent=False)

    def preview(self, asked: Asked) -> tuple[KeptMap, ...]:
        """Return the latest preview, empty if there is none."""
        document = self._get(asked.request.explanation, asked.attempt, PREVIEW)
        return (document and self._maps(asked, document["maps"])) or ()

    def put_fidelity(self, asked: Asked, fidelity: Sequence[Fidelity]) -> None:
        """Keep what the maps are worth, in their order."""
        document = {"maps": [fidelity_to_document(each) for each in fidelity]}
        self._put(asked.request.explanation, asked.attempt, FIDELITY, document, if_absent=False)

    def put_no_fidelity(self, asked: Asked, reason: str) -> bool:
        """Keep why it will never be known what the maps are worth. Return whether nothing was kept before."""
        return self._put(
            asked.request.explanation, asked.attempt, FIDELITY, {"maps": [], "reason": reason}, if_absent=True
        )

    def no_fidelity(self, asked: Asked) -> str:
        """Return why it will never be known what the maps are worth; empty if it is known or may be."""
        document = self._get(asked.request.explanation, asked.attempt, FIDELITY)
        return str(document.get("reason", "")) if document else ""

    def is_assessed(self, asked: Asked) -> bool:
        """Return whether it is known what the maps are worth, or that it never will be."""
        return self._get(asked.request.explanation, asked.attempt, FIDELITY) is not None

    def fidelity(self, asked: Asked) -> tuple[Fidelity, ...]:
        """Return what the maps are worth, empty where that is not known."""
        document = self._get(asked.request.explanation, asked.attempt, FIDELITY)
        return tuple(map(fidelity_from_document, document["maps"])) if document else ()

    def explanations(self) -> Iterator[str]:
        """Yield the ids of all explanations, in order."""
        last = ""
        for key in self._blobs.list("explanations/"):
            explanation = key.split("/")[1]
            if explanation != last:
                last = explanation
                yield explanation

    def forget(self, asked: Asked) -> None:
        """Delete an attempt, as if it had never been asked for."""
        for key in list(self._blobs.list(keys.attempt(asked.request.explanation, asked.attempt))):
            self._blobs.delete(key)

    def delete(self, explanation: str) -> None:
        """Delete everything of an explanation, its requests first: without one nothing else is taken up again."""
        found = list(self._blobs.list(keys.explanation(explanation)))
        for key in sorted(found, key=lambda key: not key.endswith(REQUEST)):
            self._blobs.delete(key)

    def _put(self, explanation: str, attempt: int, name: str, document: dict[str, Any], *, if_absent: bool) -> bool:
        key = keys.attempt(explanation, attempt) + name
        return self._blobs.put(key, sealed(document), if_absent=if_absent)

    def _get(self, explanation: str, attempt: int, name: str) -> dict[str, Any] | None:
        """Return a document, or None if there is none; one that is not as it was written goes, to be made again."""
        key = keys.attempt(explanation, attempt) + name
        try:
            return unsealed(self._blobs.get(key))
        except BlobNotFoundError:
            return None
        except EmbeddingCorruptError as error:
            _log.warning("explanation.document_corrupt", extra={"reason": error.reason})
            self._blobs.delete(key)
            return None

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
