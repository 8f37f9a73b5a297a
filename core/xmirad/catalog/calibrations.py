"""Calibrations of evidence as they are stored: for the archive that they were set for, and no other of its name."""

import json
from dataclasses import asdict

from pydantic import TypeAdapter

from xmirad.catalog.records import SCHEMA, ArchiveRecord, RecordCorruptError
from xmirad.evidence.calibration import LATEST_CREATED, EvidenceCalibration

_ADAPTER = TypeAdapter(EvidenceCalibration)


def encode_calibration(calibration: EvidenceCalibration, record: ArchiveRecord) -> bytes:
    """Return an archive's calibration as JSON."""
    values = {"schema": SCHEMA, "archive_create_time": record.create_time, "calibration": asdict(calibration)}
    return json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


def decode_calibration(data: bytes, record: ArchiveRecord) -> EvidenceCalibration | None:
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
    except (KeyError, TypeError, ValueError) as error:
        raise RecordCorruptError("evidence calibration") from error
    is_its_own = archive_create_time == record.create_time and calibration.model_digest == record.model
    return calibration if is_its_own else None
