"""Reads and writes the records of archives and items."""

import json
import logging
import time
from collections.abc import Iterator

from xmirad.blobs import keys
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.catalog.calibrations import (
    StoredCalibration,
    decode_calibration,
    encode_calibration,
    features_digest,
)
from xmirad.catalog.records import (
    ArchiveRecord,
    ItemRecord,
    RecordCorruptError,
    decode_archive,
    decode_item,
    encode,
)
from xmirad.errors import ArchiveAlreadyExistsError, ArchiveNotFoundError
from xmirad.evidence.calibration import EvidenceCalibration

MAX_KEPT_FEATURES = 16
_log = logging.getLogger(__name__)


class Catalog:
    """The records of a site. Safe to use from many threads."""

    def __init__(self, blobs: BlobStore) -> None:
        """Keep the records in a blob store."""
        self._blobs = blobs
        self._kept_features: dict[str, bytes] = {}

    def create_archive(self, record: ArchiveRecord) -> ArchiveRecord:
        """Store an archive's record, or return the one that is there.

        Raises:
            ArchiveAlreadyExistsError: If an archive of that id is there with another model, site or policy.
        """
        if self._blobs.put(keys.archive(record.archive), encode(record), if_absent=True):
            return record
        present = self.archive(record.archive)
        for field in ("site", "model", "originals", "site_key_fingerprint"):
            if getattr(present, field) != getattr(record, field):
                message = f"archive {record.archive} exists with another {field.replace('_', ' ')}"
                raise ArchiveAlreadyExistsError(message, field="archive_id", metadata={"archive": record.archive})
        return present

    def archive(self, archive: str) -> ArchiveRecord:
        """Return an archive's record.

        Raises:
            ArchiveNotFoundError: If there is none.
        """
        try:
            return decode_archive(self._blobs.get(keys.archive(archive)))
        except BlobNotFoundError:
            message = f"there is no archive {archive}"
            raise ArchiveNotFoundError(message, metadata={"archive": archive}) from None

    def archives(self) -> list[ArchiveRecord]:
        """Return the records of all archives, by id; one that is deleted meanwhile is left out."""
        found = [self._found(key) for key in self._blobs.list("archives/")]
        return [decode_archive(data) for data in found if data is not None]

    def forget_archive(self, archive: str) -> None:
        """Delete an archive's records and tombstones; its own record goes last, so that a crash can be repeated."""
        for prefix in (keys.items(archive), keys.tombstones(archive)):
            for key in list(self._blobs.list(prefix)):
                self._blobs.delete(key)
        self._blobs.delete(keys.calibration(archive))
        self._forget_features(archive)
        self._blobs.delete(keys.archive(archive))

    def calibration(self, record: ArchiveRecord) -> EvidenceCalibration | None:
        """Return what an archive's evidence is calibrated with, or None; never what an earlier one of its name had.

        One that cannot be read counts as none: the archive works without it, and can be calibrated again.
        """
        data = self._found(keys.calibration(record.archive))
        try:
            stored = None if data is None else decode_calibration(data, record)
            return None if stored is None else stored.with_features(self._features(record.archive, stored))
        except RecordCorruptError:
            _log.warning("archive.calibration_corrupt", extra={"archive": record.archive})
            return None

    def put_calibration(self, record: ArchiveRecord, calibration: EvidenceCalibration | None) -> None:
        """Store what an archive's evidence is calibrated with, or forget it.

        Raises:
            ArchiveNotFoundError: If the archive was deleted meanwhile.
        """
        if self.archive(record.archive) != record:
            message = f"there is no archive {record.archive} any more"
            raise ArchiveNotFoundError(message, metadata={"archive": record.archive})
        key = keys.calibration(record.archive)
        if calibration is None:
            self._blobs.delete(key)
            self._forget_features(record.archive)
            return
        rows = b"" if calibration.reference is None else calibration.reference.rows
        digest = features_digest(rows) if rows else ""
        if rows:
            self._blobs.put(keys.calibration_features(record.archive, digest), rows)
        self._blobs.put(key, encode_calibration(calibration, record))
        self._blobs.sync(key)
        self._forget_features(record.archive, but=digest)

    def item(self, archive: str, item: str) -> ItemRecord | None:
        """Return the latest record of an item, or None; also None if it is deleted meanwhile."""
        revisions = list(self._blobs.list(keys.item_revisions(archive, item)))
        data = self._found(revisions[-1]) if revisions else None
        return decode_item(data) if data is not None else None

    def items(self, archive: str) -> Iterator[ItemRecord]:
        """Yield the latest record of every item of an archive that is not deleted, by id."""
        latest = ""
        for key in self._blobs.list(keys.items(archive)):
            if latest and key.rpartition("/")[0] != latest.rpartition("/")[0]:
                yield from self._present(archive, latest)
            latest = key
        if latest:
            yield from self._present(archive, latest)

    def half_deleted(self, archive: str) -> Iterator[ItemRecord]:
        """Yield the records of items whose deletion was cut short: they have a tombstone, and their records still."""
        for key in self._blobs.list(keys.tombstones(archive)):
            record = self.item(archive, key.rpartition("/")[2].removesuffix(".json"))
            if record is not None:
                yield record

    def put_item(self, record: ItemRecord) -> bool:
        """Store a revision of an item's record unless this revision is there; return whether it was stored.

        With it everything stored before outlives a loss of power.
        """
        key = keys.item(record.archive, record.item, record.revision)
        is_stored = self._blobs.put(key, encode(record), if_absent=True)
        self._blobs.sync(key)
        return is_stored

    def bury_item(self, archive: str, item: str) -> None:
        """Leave a tombstone for an item; its records stay until `forget_item`, so that deleting it can be repeated."""
        stone = json.dumps({"delete_time": time.time()}).encode()
        self._blobs.put(keys.tombstone(archive, item), stone)
        self._blobs.sync(keys.tombstone(archive, item))

    def forget_item(self, archive: str, item: str) -> None:
        """Delete the records of an item."""
        for key in list(self._blobs.list(keys.item_revisions(archive, item))):
            self._blobs.delete(key)

    def is_buried(self, archive: str, item: str) -> bool:
        """Return whether an item was deleted."""
        return self._blobs.exists(keys.tombstone(archive, item))

    def unbury_item(self, archive: str, item: str) -> None:
        """Remove an item's tombstone."""
        self._blobs.delete(keys.tombstone(archive, item))

    def _features(self, archive: str, stored: StoredCalibration) -> bytes | None:
        """Read a calibration's features; the last ones are kept, because every search needs them."""
        digest = stored.reference_digest
        if not digest:
            return None
        rows = self._kept_features.get(digest)
        if rows is None and (rows := self._found(keys.calibration_features(archive, digest))) is not None:
            if len(self._kept_features) >= MAX_KEPT_FEATURES:
                self._kept_features.clear()
            self._kept_features[digest] = rows
        return rows

    def _forget_features(self, archive: str, *, but: str = "") -> None:
        for key in list(self._blobs.list(keys.calibration_features(archive))):
            if not but or key != keys.calibration_features(archive, but):
                self._kept_features.pop(key.rpartition("/")[2], None)
                self._blobs.delete(key)

    def _present(self, archive: str, key: str) -> Iterator[ItemRecord]:
        data = self._found(key)
        if data is None:
            return
        record = decode_item(data)
        if not self.is_buried(archive, record.item):
            yield record

    def _found(self, key: str) -> bytes | None:
        try:
            return self._blobs.get(key)
        except BlobNotFoundError:  # deleted since it was listed
            return None
