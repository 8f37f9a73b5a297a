"""Deletes explanations, with queries that nobody explains any more; their blobs are purged."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from xmirad.blobs.port import BlobStore
from xmirad.catalog import explanations as rows
from xmirad.catalog.database import Database
from xmirad.catalog.purges import BlobPurger
from xmirad.errors import ExplanationNotFoundError


class Forgetter:
    """Deletes explanations, with queries that nobody explains any more. Safe to use from many processes.

    Every method raises `BackendUnavailableError` if the catalog or the blob store cannot be used.

    Attributes:
        purger: Deletes their blobs.
    """

    def __init__(self, database: Database, blobs: BlobStore, *, clock: Callable[[], float] = time.time) -> None:
        """Delete records from a catalog's database, and what they own from a blob store."""
        self.purger = BlobPurger(database, blobs, clock=clock)
        self._database = database
        self._clock = clock

    def delete(self, explanation: str) -> None:
        """Delete an explanation, and its query if it was the last one of it.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
        """
        delete = partial(rows.delete_explanation, explanation=explanation, now=self._clock())
        if not self._database.write(delete):
            message = "there is no such explanation"
            raise ExplanationNotFoundError(message, field="name", metadata={"explanation": explanation})
        self.purger.purge_some()

    def delete_all(self, ids: Sequence[str]) -> int:
        """Delete those of some explanations that are there; return how many. Their blobs are purged later."""
        return self._mark(ids)

    def delete_of_items(self, creation: str, items: Sequence[str]) -> int:
        """Delete the explanations in which one of these items of an archive plays a part; return how many."""
        found = self._database.read(lambda connection: rows.explanations_of_items(connection, creation, items))
        deleted = self._mark(found)
        self.purger.purge_some()
        return deleted

    def delete_of_archive(self, creation: str) -> int:
        """Delete all explanations of an archive; return how many. Their blobs are purged later."""
        deleted = 0
        while found := self._database.read(lambda connection: rows.some_of_archive(connection, creation)):
            deleted += self._mark(found)
        return deleted

    def delete_query(self, digest: str) -> None:
        """Delete a stored query with its explanations and all that is cached of it. Its blobs are purged later."""
        self._database.write(lambda connection: rows.delete_query(connection, digest, now=self._clock()))

    def _mark(self, ids: Sequence[str]) -> int:
        return self._database.write(partial(rows.delete_explanations, ids=ids, now=self._clock())) if ids else 0
