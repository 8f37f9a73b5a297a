"""Deletes explanations with everything that only they need."""

from collections.abc import Callable

from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.ports import Board
from xmirad.explanations.records import ImageKind
from xmirad.explanations.scoring import entries_of
from xmirad.explanations.store import Asked, ExplanationStore


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
            BackendUnavailableError: If a store or the board fails.
        """
        asked = self._store.asked(explanation)
        for entry in entries_of(asked.request).values():
            self._board.unsubscribe(entry.location, explanation)
        self._store.delete(explanation)
        query = asked.request.query
        if query.kind is not ImageKind.ITEM and not self._is_used(query.digest):
            self._images.delete_query(query.digest)

    def delete_of_items(self, archive: str, items: frozenset[str]) -> int:
        """Delete the explanations in which one of these items of an archive plays a part; return how many.

        Raises:
            BackendUnavailableError: If a store or the board fails.
        """
        return self._delete_where(lambda asked: asked.request.archive == archive and bool(_items(asked) & items))

    def delete_of_archive(self, archive: str) -> int:
        """Delete the explanations of an archive; return how many.

        Raises:
            BackendUnavailableError: If a store or the board fails.
        """
        return self._delete_where(lambda asked: asked.request.archive == archive)

    def _delete_where(self, is_meant: Callable[[Asked], bool]) -> int:
        found = [each for each in list(self._store.explanations()) if is_meant(self._store.asked(each))]
        for explanation in found:
            self.delete(explanation)
        return len(found)

    def _is_used(self, digest: str) -> bool:
        return any(
            self._store.asked(explanation).request.query.digest == digest for explanation in self._store.explanations()
        )


def _items(asked: Asked) -> set[str]:
    request = asked.request
    images = [request.query, request.result, *request.attention.positives, *request.attention.negatives]
    images += [request.contrast] if request.contrast else []
    return {image.item for image in images if image.item}
