"""Deletes the blobs of rows that are deleted: at once, and once more a day later, when the rows go too.

The second time finds what a process has written that was paused while the row was deleted.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from sqlalchemy import Column, Connection, Table, delete, select, update

from xmirad.blobs import keys
from xmirad.blobs.port import BlobStore
from xmirad.catalog import blobs as blob_rows
from xmirad.catalog.database import Database
from xmirad.catalog.explanation_tables import cache_entries, explanations, queries
from xmirad.catalog.tables import blobs
from xmirad.errors import BackendUnavailableError

Owner = Table
"""Of rows that own blobs: one, or all under a prefix."""
AGAIN_SECONDS = 86_400.0
PAGE = 100
PREFIX_OF: dict[Owner, Callable[[str], str]] = {
    explanations: keys.explanation,
    queries: keys.query,
    cache_entries: str,  # its location
}
OWNERS = (*PREFIX_OF, blobs)


class BlobPurger:
    """Purges the blobs of maps, queries, cache entries and images. Safe to use from many processes.

    Every method raises `BackendUnavailableError` if the catalog or the blob store cannot be used.
    """

    def __init__(self, database: Database, blobs: BlobStore, *, clock: Callable[[], float] = time.time) -> None:
        """Delete from a blob store what a catalog's database says is deleted."""
        self._database = database
        self._blobs = blobs
        self._clock = clock

    def purge_all(self) -> None:
        """Delete the blobs of what is deleted, and what died a day ago while it was uploaded or written."""
        now = self._clock()
        while self._database.write(partial(blob_rows.end_abandoned, before=now - AGAIN_SECONDS, now=now)):
            pass
        for owner in OWNERS:
            self._database.write(partial(open_again, owner=owner, now=now))
        while self.purge_some():
            pass
        self._blobs.clear_unfinished()

    def purge_some(self) -> int:
        """Delete the blobs of some rows of each kind that were deleted, the oldest first; return of how many."""
        purged_rows, failures = 0, list[BackendUnavailableError]()
        for owner in OWNERS:
            try:
                purged_rows += self._purge_some(owner)
            except BackendUnavailableError as error:  # one blob that cannot be deleted keeps no other kind waiting
                failures.append(error)
        if failures and not purged_rows:
            raise failures[0]
        return purged_rows

    def _purge_some(self, owner: Owner) -> int:
        found = self._database.read(partial(unpurged, owner=owner))
        for key in found:
            for blob in self._blobs_of(owner, key):
                self._blobs.delete(blob)
        if found:
            self._database.write(partial(purged, owner=owner, found=found, now=self._clock()))
        return len(found)

    def _blobs_of(self, owner: Owner, key: str) -> Iterable[str]:
        return [key] if owner is blobs else list(self._blobs.list(PREFIX_OF[owner](key)))


def key_of(owner: Owner) -> Column[str]:
    """Return the column that names a row's blobs."""
    [key] = owner.primary_key.columns
    return key


def unpurged(connection: Connection, owner: Owner) -> list[str]:
    """Return some deleted rows that were not purged yet, the oldest first."""
    rows = select(key_of(owner)).where(owner.c.delete_time.is_not(None), owner.c.is_purged.is_(False))
    return list(connection.execute(rows.order_by(owner.c.delete_time).limit(PAGE)).scalars())


def open_again(connection: Connection, owner: Owner, *, now: float) -> None:
    """Have rows purged once more that were deleted a day ago."""
    rows = select(key_of(owner)).where(owner.c.delete_time.is_not(None), owner.c.is_purged.is_(True))
    due = rows.where(owner.c.delete_time <= now - AGAIN_SECONDS).order_by(owner.c.delete_time).limit(PAGE)
    keys = list(connection.execute(due).scalars())
    if not keys:
        return
    is_due = key_of(owner).in_(sorted(keys)), owner.c.delete_time <= now - AGAIN_SECONDS
    connection.execute(update(owner).where(*is_due).values(is_purged=False))


def purged(connection: Connection, owner: Owner, found: Sequence[str], *, now: float) -> None:
    """Say that nothing is left of deleted rows' blobs; after the second time the rows go."""
    of_rows = (key_of(owner).in_(sorted(found)), owner.c.delete_time.is_not(None), owner.c.is_purged.is_(False))
    connection.execute(delete(owner).where(*of_rows, owner.c.delete_time <= now - AGAIN_SECONDS))
    connection.execute(update(owner).where(*of_rows).values(is_purged=True))
