"""Reads and writes the records of archives and items: each call is a transaction of its own."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from xmirad.catalog import archives, blobs, calibrations, embeddings, item_counts, items, marks, requests
from xmirad.catalog.database import Database
from xmirad.catalog.records import ArchiveRecord, DeletedArchive, ItemRecord, ItemReference, ItemState
from xmirad.errors import ArchiveAlreadyExistsError, EmbeddingCorruptError, RecordCorruptError
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.types import Float32Array

MAX_KEPT_FEATURES = 16
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Catalog:
    """The records of all sites. Safe to use from many threads, in the process that made it.

    Every method raises `BackendUnavailableError` if the database cannot be used; nothing is written then.
    """

    def __init__(self, database: Database) -> None:
        """Keep the records in a database."""
        self.database = database
        self._kept_features: dict[str, bytes] = {}

    def create_archive(self, record: ArchiveRecord) -> ArchiveRecord:
        """Store an archive's record, or return the one that is there.

        Raises:
            ArchiveAlreadyExistsError: If the site has an archive of that id with another model or policy.
        """

        def create(connection: Connection) -> ArchiveRecord:
            archives.insert_archive(connection, record)
            return archives.find_archive(connection, record.site, record.archive)

        present = self.database.write(create)
        for field in ("model", "originals", "site_key_fingerprint"):
            if getattr(present, field) != getattr(record, field):
                message = f"archive {record.archive} exists with another {field.replace('_', ' ')}"
                raise ArchiveAlreadyExistsError(message, field="archive_id", metadata={"archive": record.archive})
        return present

    def archive(self, site: str, archive: str) -> ArchiveRecord:
        """Return the record of a site's archive.

        Raises:
            ArchiveNotFoundError: If there is none.
            RecordCorruptError: If it cannot be read.
        """
        return self.database.read(lambda connection: archives.find_archive(connection, site, archive))

    def archives(self, *, on_corrupt: Callable[[RecordCorruptError], None] | None = None) -> list[ArchiveRecord]:
        """Return the records of all archives, by site and id; `on_corrupt` is told of unreadable ones, or the log."""
        found = self.database.read(lambda connection: list(archives.list_archives(connection)))
        return list(_readable(found, on_corrupt))

    def delete_archive(self, record: ArchiveRecord) -> None:
        """Delete an archive: from now on there is none of its name. Its rows stay until `forget_archive`.

        Raises:
            ArchiveNotFoundError: If it was deleted already.
        """
        now = time.time()

        def delete(connection: Connection) -> None:
            archives.mark_deleted(connection, record, now=now)
            requests.note_deletion(connection)

        self.database.write(delete)

    def deleted_archives(self) -> list[DeletedArchive]:
        """Return the archives that were deleted, and are not forgotten yet."""
        return self.database.read(archives.list_deleted)

    def close_archive(self, creation: str) -> None:
        """Wait until nobody writes items of a deleted archive; none come after that, so they can be collected."""
        self.database.write(lambda connection: archives.close_gate(connection, creation))

    def forget_some_items(self, creation: str) -> int:
        """Delete some rows of a closed archive's items, and end the blobs that no other item needs.

        Returns:
            How many; none are left once it is 0.
        """

        def forget(connection: Connection) -> int:
            count, found = items.delete_items(connection, creation)
            blobs.end_unused(connection, found, now=time.time())
            return count

        return self.database.write(forget)

    def forget_archive(self, creation: str) -> None:
        """Delete all rows of a deleted archive; the archive's own goes last. It can be repeated."""
        self.close_archive(creation)
        while self.forget_some_items(creation):
            pass

        def delete(connection: Connection) -> None:
            item_counts.forget_counts(connection, creation)
            archives.delete_archive(connection, creation)

        self.database.write(delete)
        self.database.compact()

    def calibration(self, record: ArchiveRecord) -> EvidenceCalibration | None:
        """Return what an archive's evidence is calibrated with, or None; never what an earlier one of its name had.

        One that cannot be read counts as none: the archive works without it, and can be calibrated again.
        """
        try:
            stored = self.database.read(partial(calibrations.find_calibration, record=record))
            return None if stored is None else stored.with_features(self._features(record, stored.reference_digest))
        except RecordCorruptError:
            _log.warning("archive.calibration_corrupt", extra={"archive": record.archive})
            return None

    def put_calibration(self, record: ArchiveRecord, calibration: EvidenceCalibration | None) -> None:
        """Store what an archive's evidence is calibrated with, or forget it.

        Raises:
            ArchiveNotFoundError: If the archive was deleted meanwhile.
        """
        self.database.write(lambda connection: calibrations.put_calibration(connection, record, calibration))

    def item(self, record: ArchiveRecord, item: str) -> ItemRecord | None:
        """Return the record of an archive's item, or None; also None if it was deleted.

        Raises:
            RecordCorruptError: If it cannot be read.
        """
        return self.database.read(lambda connection: items.find_item(connection, record, item))

    def find_items(self, record: ArchiveRecord, ids: Sequence[str]) -> dict[str, ItemRecord]:
        """Return the records of those of some items that are there, by id; those that cannot be read are logged."""
        found: list[ItemRecord | RecordCorruptError] = []
        for page in _pages(ids):
            found += self.database.read(partial(items.find_items, record=record, ids=page))
        return {record.item: record for record in _readable(found, None)}

    def item_state(self, record: ArchiveRecord, item: str) -> ItemState:
        """Return what is known of an item, whether or not it was deleted.

        Raises:
            RecordCorruptError: If its record cannot be read.
        """
        return self.database.read(lambda connection: items.item_state(connection, record, item))

    def items(
        self,
        record: ArchiveRecord,
        *,
        after: str = "",
        on_corrupt: Callable[[RecordCorruptError], None] | None = None,
    ) -> Iterator[ItemRecord]:
        """Yield the record of every item of an archive that is not deleted, by id; read by pages.

        Args:
            record: The archive.
            after: The id behind which to begin.
            on_corrupt: Told of each record that cannot be read; without it they are logged.
        """
        while True:
            page, after = self.database.read(partial(items.page_of_items, record=record, after=after))
            yield from _readable(page, on_corrupt)
            if not after:
                return

    def not_live(self, record: ArchiveRecord, ids: Sequence[str]) -> set[str]:
        """Return those of some items that the archive does not hold: deleted ones, and those that nobody stored."""
        return self.database.read(lambda connection: items.not_live(connection, record.creation, ids))

    def revisions(self, record: ArchiveRecord, *, after: str, limit: int) -> list[tuple[str, int]]:
        """Return ids and revisions of the next items that are not deleted, in the order of ids."""
        return self.database.read(
            lambda connection: items.page_of_revisions(connection, record.creation, after=after, limit=limit)
        )

    def count_items(self, record: ArchiveRecord) -> int:
        """Return how many items an archive holds that are not deleted."""
        found, pending = self.database.read(lambda connection: item_counts.count_items(connection, record.creation))
        if pending >= item_counts.MANY:
            self.database.write(lambda connection: item_counts.fold_changes(connection, record.creation))
        return found

    def has_items(self, record: ArchiveRecord) -> bool:
        """Return whether an archive holds an item that is not deleted."""
        return self.database.read(lambda connection: items.has_items(connection, record))

    def references(self, record: ArchiveRecord, ids: Sequence[str]) -> list[ItemReference]:
        """Return those of some items that have a record, also if their deletion was cut short."""
        found: list[ItemReference] = []
        for page in _pages(ids):
            found += self.database.read(partial(items.references, record=record, ids=page))
        return found

    def half_deleted(self, record: ArchiveRecord) -> Iterator[ItemReference]:
        """Yield the items whose deletion was cut short: they have a tombstone, and their records still."""
        after = ""
        while page := self.database.read(partial(items.page_of_half_deleted, creation=record.creation, after=after)):
            yield from page
            after = page[-1].item

    def embeddings(self, record: ArchiveRecord, ids: Sequence[str]) -> dict[str, Float32Array | EmbeddingCorruptError]:
        """Return the embeddings of those of some items that have one, by id; damaged ones as errors."""
        found: dict[str, Float32Array | EmbeddingCorruptError] = {}
        for page in _pages(ids):
            found |= self.database.read(partial(embeddings.find_embeddings, creation=record.creation, ids=page))
        return found

    def embedding_of_image(self, image: str, model: str) -> Float32Array | None:
        """Return a model's embedding of an image, float32 `[embedding_size]`, from any item of any site, or None.

        Raises:
            EmbeddingCorruptError: If it is damaged.
        """
        return self.database.read(lambda connection: embeddings.embedding_of_image(connection, image, model))

    def put_embedding(self, record: ArchiveRecord, item: str, embedding: Float32Array) -> None:
        """Replace the embedding of an item, which was damaged.

        Raises:
            ArchiveNotFoundError: If the archive was deleted.
        """

        def put(connection: Connection) -> None:
            archives.pass_gate(connection, record.creation, record.archive)
            embeddings.put_embedding(connection, record.creation, item, embedding)

        self.database.write(put)

    def put_item(
        self,
        record: ItemRecord,
        embedding: Float32Array | None = None,
        *,
        blobs_at: Sequence[str] = (),
        restore: bool = False,
        priority: int = marks.URGENT,
    ) -> int | None:
        """Store a revision of an item's record unless it or a later one is there, and mark the item.

        Once it returns, all of that outlives a loss of power.

        Args:
            record: The revision.
            embedding: Is stored with it; without one, that which is there stays.
            blobs_at: Where the blobs of its image were put; it relies on them from now on.
            restore: Whether to remove the item's tombstone; while there is one, nothing is stored otherwise.
            priority: Of the mark.

        Returns:
            The ticket of the mark, or None if nothing was stored.

        Raises:
            ArchiveNotFoundError: If the archive was deleted.
            BlobsEndedError: If one of the blobs is not to be used any more; nothing is stored.
        """

        def put(connection: Connection) -> int | None:
            replaced = items.lock_deleted(connection, record) if restore else []
            is_stored = items.put_item(connection, record, embedding, restore=restore)
            if is_stored or items.lock_live(connection, record):
                blobs.make_live(connection, blobs_at)
            if not is_stored:
                return None
            blobs.end_unused(connection, replaced, now=time.time())
            return marks.mark(connection, record.creation, [record.item], priority=priority)

        return self.database.write(put)

    def add_tombstones(self, record: ArchiveRecord, ids: Sequence[str]) -> None:
        """Leave tombstones for items and mark them; records stay until `forget_items`, so that it can be repeated.

        Raises:
            ArchiveNotFoundError: If the archive was deleted.
        """
        now = time.time()

        def add(connection: Connection, page: Sequence[str]) -> None:
            items.add_tombstones(connection, record, page, now=now)
            marks.mark(connection, record.creation, page)
            requests.note_deletion(connection)

        for page in _pages(sorted(set(ids))):
            self.database.write(partial(add, page=page))

    def has_tombstone(self, record: ArchiveRecord, item: str) -> bool:
        """Return whether an item was deleted."""
        return self.item_state(record, item).has_tombstone

    def forget_items(self, record: ArchiveRecord, ids: Sequence[str]) -> None:
        """Delete the records of deleted items, so that nothing in the catalog's files tells of them; tombstones stay.

        The blobs that no other item needs are ended in the same transaction, and purged later.
        """

        def forget(connection: Connection, page: Sequence[str]) -> None:
            found = items.forget_items(connection, record, page)
            blobs.end_unused(connection, found, now=time.time())

        for page in _pages(ids):
            self.database.write(partial(forget, page=page))
        self.database.compact()

    def _features(self, record: ArchiveRecord, digest: str) -> bytes | None:
        """Read a calibration's features; the last ones are kept, because every search with evidence needs them."""
        if not digest:
            return None
        rows = self._kept_features.get(digest)
        if (
            rows is None
            and (rows := self.database.read(partial(calibrations.find_features, record=record))) is not None
        ):
            if len(self._kept_features) >= MAX_KEPT_FEATURES:
                self._kept_features.clear()
            self._kept_features[digest] = rows
        return rows


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), items.PAGE):
        yield ids[start : start + items.PAGE]


def _readable(
    found: Sequence[T | RecordCorruptError], on_corrupt: Callable[[RecordCorruptError], None] | None
) -> Iterator[T]:
    for each in found:
        if not isinstance(each, RecordCorruptError):
            yield each
        elif on_corrupt is not None:
            on_corrupt(each)
        else:
            _log.warning("catalog.record_corrupt", extra={"reason": each.reason, **each.metadata})
