"""Deletes explanations with everything that only they need."""

import contextlib
import logging
from collections.abc import Callable, Iterator

from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.ports import Board
from xmirad.explanations.records import ImageKind
from xmirad.explanations.scoring import entries_of
from xmirad.explanations.store import Asked, ExplanationStore

_log = logging.getLogger(__name__)


class Forgetter:
    """Deletes explanations, and queries that nobody explains any more."""

    def __init__(self, store: ExplanationStore, images: ExplanationImages, board: Board) -> None:
        """Delete from the blob store."""
        self._store = store
        self._images = images
        self._board = board

    def delete(self, explanation: str) -> None:
        """Delete an explanation, and its query if it was the last one of it.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
            BackendUnavailableError: If the blob store fails.
        """
        asked = self._store.asked(explanation)
        self._store.delete(explanation)
        self._leave(asked)
        query = asked.request.query
        if query.kind is not ImageKind.ITEM and not self._is_used(query.digest):
            self._images.delete_query(query.digest)

    def delete_of_items(self, archive: str, items: frozenset[str]) -> int:
        """Delete the explanations in which one of these items of an archive plays a part; return how many.

        Raises:
            BackendUnavailableError: If the blob store fails.
        """
        return self._delete_where(lambda asked: asked.request.archive == archive and bool(_items(asked) & items))

    def _delete_where(self, is_meant: Callable[[Asked], bool]) -> int:
        found = [asked for asked in self._all() if is_meant(asked)]
        for asked in found:
            self.delete(asked.request.explanation)
        return len(found)

    def _is_used(self, digest: str) -> bool:
        try:
            return any(asked.request.query.digest == digest for asked in self._all())
        except BackendUnavailableError as error:  # one that cannot be read may need it; the sweep drops what none does
            _log.warning("query.not_deleted", extra={"reason": error.reason})
            return True

    def _all(self) -> Iterator[Asked]:
        for explanation in list(self._store.explanations()):
            with contextlib.suppress(ExplanationNotFoundError):  # a deletion is under way
                yield self._store.asked(explanation)

    def _leave(self, asked: Asked) -> None:
        try:
            for entry in entries_of(asked.request).values():
                self._board.unsubscribe(entry.location, asked.request.explanation)
        except BackendUnavailableError as error:  # tasks of an explanation that is gone stop by themselves
            _log.warning("explanation.not_unsubscribed", extra={"reason": error.reason})


def _items(asked: Asked) -> set[str]:
    request = asked.request
    images = [request.query, request.result, *request.attention.positives, *request.attention.negatives]
    images += [request.contrast] if request.contrast else []
    return {image.item for image in images if image.item} | set(request.made_from)
