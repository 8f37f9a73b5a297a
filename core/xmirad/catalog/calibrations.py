"""Statements on calibrations of evidence: one for each creation of an archive."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog import archives
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.tables import calibrations
from xmirad.errors import RecordCorruptError
from xmirad.evidence.calibration import LATEST_CREATED, EvidenceCalibration
from xmirad.evidence.distances import FeatureReference

_ADAPTER = TypeAdapter(EvidenceCalibration)


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A calibration as its document has it, without the features, which have a column of their own.

    Attributes:
        archive: The archive's id.
        calibration: The calibration; its `reference` is None.
        reference_size: Length of a feature vector, or 0 where it has no features.
        reference_digest: SHA-256 of the features in hexadecimal, or an empty string.
    """

    archive: str
    calibration: EvidenceCalibration
    reference_size: int
    reference_digest: str

    def with_features(self, rows: bytes | None) -> EvidenceCalibration:
        """Return the whole calibration.

        Raises:
            RecordCorruptError: If these are not its features.
        """
        if not self.reference_digest:
            return self.calibration
        if rows is None or features_digest(rows) != self.reference_digest:
            raise _corrupt(self.archive)
        return replace(self.calibration, reference=FeatureReference(self.reference_size, rows))


def features_digest(rows: bytes) -> str:
    """Return the SHA-256 of features, hexadecimal."""
    return hashlib.sha256(rows).hexdigest()


def find_calibration(connection: Connection, record: ArchiveRecord) -> StoredCalibration | None:
    """Return an archive's calibration without its features, or None; also None if it is of another model.

    Raises:
        RecordCorruptError: If it cannot be read.
    """
    statement = select(calibrations.c.document).where(calibrations.c.creation == record.creation)
    document = connection.execute(statement).scalar_one_or_none()
    if document is None:
        return None
    try:
        values = json.loads(document)
        calibration = _ADAPTER.validate_python(values["calibration"])
        if not 0.0 <= calibration.created <= LATEST_CREATED:
            raise ValueError("a time that no calendar has")
        size, digest = int(values["reference_size"]), str(values["reference_digest"])
    except (KeyError, TypeError, ValueError) as error:
        raise _corrupt(record.archive) from error
    stored = StoredCalibration(record.archive, calibration, size, digest)
    return stored if calibration.model_digest == record.model else None


def find_features(connection: Connection, record: ArchiveRecord) -> bytes | None:
    """Return the features of an archive's calibration, or None where it has none."""
    statement = select(calibrations.c.features).where(calibrations.c.creation == record.creation)
    rows = connection.execute(statement).scalar_one_or_none()
    return None if rows is None else bytes(rows)


def put_calibration(connection: Connection, record: ArchiveRecord, calibration: EvidenceCalibration | None) -> None:
    """Store or replace an archive's calibration, or delete it.

    Raises:
        ArchiveNotFoundError: If the archive was deleted.
    """
    archives.pass_gate(connection, record.creation, record.archive)
    if calibration is None:
        connection.execute(delete(calibrations).where(calibrations.c.creation == record.creation))
        return
    reference = calibration.reference
    values = {
        "calibration": asdict(replace(calibration, reference=None)),
        "reference_size": 0 if reference is None else reference.size,
        "reference_digest": "" if reference is None else features_digest(reference.rows),
    }
    row = {
        "document": json.dumps(values, sort_keys=True, allow_nan=False),
        "features": None if reference is None else reference.rows,
    }
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    inserted = engine.insert(calibrations).values(creation=record.creation, **row)
    connection.execute(inserted.on_conflict_do_update(index_elements=["creation"], set_=row))


def _corrupt(archive: str) -> RecordCorruptError:
    message = "the archive's calibration cannot be read: calibrate it again"
    return RecordCorruptError(message, metadata={"archive": archive})
