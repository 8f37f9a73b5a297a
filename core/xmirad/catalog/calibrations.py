"""Calibrations of evidence as they are stored: for the archive that they were set for, and no other of its name."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from pydantic import TypeAdapter

from xmirad.catalog.records import SCHEMA, ArchiveRecord, RecordCorruptError
from xmirad.evidence.calibration import LATEST_CREATED, EvidenceCalibration
from xmirad.evidence.distances import FeatureReference

_ADAPTER = TypeAdapter(EvidenceCalibration)


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A calibration as its record has it, without the features, which lie in a blob of their own.

    Attributes:
        calibration: The calibration; its `reference` is None.
        reference_size: Length of a feature vector, or 0 where it has no features.
        reference_digest: SHA-256 of the features in hexadecimal, or an empty string.
    """

    calibration: EvidenceCalibration
    reference_size: int = 0
    reference_digest: str = ""

    def with_features(self, rows: bytes | None) -> EvidenceCalibration:
        """Return the whole calibration.

        Raises:
            RecordCorruptError: If these are not its features.
        """
        if not self.reference_digest:
            return self.calibration
        if rows is None or features_digest(rows) != self.reference_digest:
            raise RecordCorruptError("evidence calibration")
        return replace(self.calibration, reference=FeatureReference(self.reference_size, rows))


def features_digest(rows: bytes) -> str:
    """Return the SHA-256 of features, hexadecimal."""
    return hashlib.sha256(rows).hexdigest()


def encode_calibration(calibration: EvidenceCalibration, record: ArchiveRecord) -> bytes:
    """Return an archive's calibration as JSON, with the digest of its features in their place."""
    reference = calibration.reference
    values = {
        "schema": SCHEMA,
        "archive_create_time": record.create_time,
        "calibration": asdict(replace(calibration, reference=None)),
        "reference_size": 0 if reference is None else reference.size,
        "reference_digest": "" if reference is None else features_digest(reference.rows),
    }
    return json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


def decode_calibration(data: bytes, record: ArchiveRecord) -> StoredCalibration | None:
    """Read an archive's calibration; None if it was set for an earlier archive of the name, or another model.

    Raises:
        RecordCorruptError: If it is not one.
    """
    try:
        values = json.loads(data)
        if values["schema"] != SCHEMA:
            raise ValueError("a schema that this version does not know")
        calibration = _ADAPTER.validate_python(values["calibration"])
        if not 0.0 <= calibration.created <= LATEST_CREATED:
            raise ValueError("a time that no calendar has")
        archive_create_time = values["archive_create_time"]
        stored = StoredCalibration(calibration, values["reference_size"], values["reference_digest"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordCorruptError("evidence calibration") from error
    is_its_own = archive_create_time == record.create_time and calibration.model_digest == record.model
    return stored if is_its_own else None
