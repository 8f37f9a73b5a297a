"""Finishes explanations as their cache entries fill: previews, the exact maps, their fidelity.

Everything here may happen twice or at the same time in several processes; the catalog decides who was first. A chunk
is stored before its entry is looked at, so of two workers that store the last two chunks at least one sees both.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, QueueFullError, XmiradError
from xmirad.explanations.assessing import Assessor
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import Board, TaskQueue
from xmirad.explanations.reading import MaskedReader, ReadOnce
from xmirad.explanations.scoring import MapScorer, entries_of, image_on
from xmirad.explanations.store import Asked, ExplanationStore
from xmirad.types import ExplanationState

PROGRESS_SECONDS = 1.0
ADVANCED_AT_ONCE = 5
_log = logging.getLogger(__name__)


class Completion:
    """Brings explanations forward, as far as the cache allows."""

    def __init__(
        self,
        store: ExplanationStore,
        cache: OcclusionCache,
        scorer: MapScorer,
        assessor: Assessor,
        *,
        board: Board,
        queue: TaskQueue,
    ) -> None:
        """Work on what is stored."""
        self._store = store
        self._cache = cache
        self._scorer = scorer
        self._assessor = assessor
        self._board = board
        self._queue = queue

    def after_chunk(self, entry: OcclusionEntry, chunk: int) -> None:
        """Bring forward whatever waits for an entry, one of whose chunks has just been stored.

        Raises:
            BackendUnavailableError: If a store, the board or the queue fails.
        """
        stop = entry.chunks[chunk].stop
        level = next(each.windows for each in entry.levels if stop <= each.windows)
        waiting = self._cache.subscribers(entry)
        complete = self._cache.complete_windows(entry)
        if complete >= level:
            if waiting or complete == entry.lattice.windows:
                coded = self._cache.read(entry, complete)
                self._advance_all(waiting, entry, ReadOnce(self._cache, entry, complete, coded))
                if coded is not None:
                    self._cache.tidy(entry, coded)
            return
        tick = int(time.time() / PROGRESS_SECONDS)
        for explanation in waiting:
            self._board.announce(explanation, {"kind": "progress"}, once=f"progress-{tick}")

    def advance(self, explanation: str, *, reader: MaskedReader | None = None) -> bool:
        """Finish an explanation, or keep a sharper preview of it. Return whether it is finished.

        Args:
            explanation: Its id.
            reader: Where to read masked embeddings, by default from the cache.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
            BackendUnavailableError: If a store fails; also if the queue does, unless the explanation is finished.
        """
        asked = self._store.asked(explanation)
        if self._store.is_finished(asked):
            return True
        try:
            return self._advance(asked, reader or self._cache)
        except BackendUnavailableError:
            raise
        except XmiradError as error:
            self.fail(asked, error)
            return True

    def fail_entry(self, entry: OcclusionEntry, error: XmiradError) -> None:
        """Fail every explanation that waits for an entry that cannot be filled.

        Raises:
            BackendUnavailableError: If a store or the board fails.
        """
        for explanation in self._cache.subscribers(entry):
            try:
                self.fail(self._store.asked(explanation), error)
            except ExplanationNotFoundError:
                self._cache.unsubscribe(explanation)

    def fail(self, asked: Asked, error: XmiradError) -> None:
        """End an attempt with an error."""
        if not self._store.finish(asked, ExplanationState.FAILED, error=error):
            return
        _log.warning("explanation.failed", extra={"reason": error.reason})
        self._tell(asked, {"kind": "state"}, once="finished")

    def cancel(self, explanation: str) -> Asked:
        """End an attempt that is not finished; work that others wait for goes on.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
            BackendUnavailableError: If the blob store fails.
        """
        asked = self._store.asked(explanation)
        if self._store.finish(asked, ExplanationState.CANCELLED):
            self._tell(asked, {"kind": "state"}, once="finished")
        return asked

    def assess(self, explanation: str, *, attempt: int) -> None:
        """Compute some of what the maps of a finished explanation are worth; the queue brings the rest.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
            XmiradError: If it cannot be computed, for example because the model is gone. The maps then stay without.
            BackendUnavailableError: If a store, the board or the queue fails; it can be tried again.
        """
        asked = self._store.asked(explanation)
        if asked.attempt != attempt:
            return
        try:
            self._assess(asked)
        except BackendUnavailableError:
            raise
        except XmiradError as error:
            self.leave_unassessed(explanation, attempt=attempt, reason=error.reason)
            raise

    def leave_unassessed(self, explanation: str, *, attempt: int, reason: str) -> None:
        """Say that the maps of a finished explanation will have no fidelity, so that nobody waits for it.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
            BackendUnavailableError: If the blob store fails.
        """
        asked = self._store.asked(explanation)
        if asked.attempt == attempt and self._store.put_no_fidelity(asked, reason):
            _log.warning("explanation.not_assessed", extra={"reason": reason})
            self._tell(asked, {"kind": "fidelity"}, once="fidelity")

    def _assess(self, asked: Asked) -> None:
        outcome = self._store.outcome(asked)
        if outcome is None or not outcome.maps or self._store.is_assessed(asked):
            return
        request = asked.request
        sides = [kept.saliency.explained_image for kept in outcome.maps]
        others = [self._scorer.embedding(request, image_on(request, side.other)) for side in sides]
        figures = self._assessor.assess(asked, outcome.maps, others)
        if figures is None:
            self._queue.assess(request.explanation, attempt=asked.attempt)
            return
        self._store.put_fidelity(asked, figures)
        self._tell(asked, {"kind": "fidelity"}, once="fidelity")

    def _advance(self, asked: Asked, reader: MaskedReader) -> bool:
        entries = entries_of(asked.request)
        windows = {side: reader.complete_windows(entry) for side, entry in entries.items()}
        if not all(windows.values()):
            return False
        maps = self._scorer.maps(asked.request, windows, reader=reader)
        if maps is None:  # a chunk was corrupt and is gone now
            self._fill_again(asked, entries.values())
            return False
        if not all(kept.saliency.exact for kept in maps):
            total = sum(windows.values())
            self._store.put_preview(asked, maps, windows=total)
            self._tell(asked, {"kind": "preview"}, once=f"preview-{total}")
            return False
        self._store.finish(asked, ExplanationState.SUCCEEDED, maps=maps)
        _log.info("explanation.succeeded")
        self._tell(asked, {"kind": "state"}, once="finished")
        self._have_assessed(asked)
        return True

    def _advance_all(self, waiting: Sequence[str], entry: OcclusionEntry, reader: MaskedReader) -> None:
        """Bring several explanations forward side by side: most of it is waiting for the disk."""
        if not waiting:
            return
        with ThreadPoolExecutor(min(len(waiting), ADVANCED_AT_ONCE)) as pool:
            # Each in a copy of this context, which knows the trace.
            advanced = [
                pool.submit(copy_context().run, self._advance_if_known, each, entry, reader) for each in waiting
            ]
        for one in advanced:
            one.result()

    def _advance_if_known(self, explanation: str, entry: OcclusionEntry, reader: MaskedReader) -> None:
        try:
            self.advance(explanation, reader=reader)
        except ExplanationNotFoundError:
            self._cache.unsubscribe(explanation)

    def _fill_again(self, asked: Asked, entries: Iterable[OcclusionEntry]) -> None:
        for entry in entries:
            self._cache.subscribe(entry, asked.request.explanation)
            try:
                self._queue.fill(entry, self._cache.missing(entry), queue=asked.queue)
            except QueueFullError as error:  # the sweeper tries again
                _log.warning("explanation.waits_for_room", extra={"reason": error.reason})

    def _have_assessed(self, asked: Asked) -> None:
        try:
            self._queue.assess(asked.request.explanation, attempt=asked.attempt)
        except BackendUnavailableError as error:
            _log.warning("explanation.assessment_not_queued", extra={"reason": error.reason})

    def _tell(self, asked: Asked, fields: Mapping[str, object], *, once: str) -> None:
        """Announce something; who watches without a board looks at the catalog instead."""
        try:
            self._board.announce(asked.request.explanation, fields, once=f"{asked.create_time}-{once}")
        except BackendUnavailableError as error:
            _log.warning("explanation.not_announced", extra={"reason": error.reason})
