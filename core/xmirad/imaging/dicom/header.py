"""What is taken from a DICOM header: an allow-list, so there is nothing to de-identify afterwards.

Names, addresses, dates finer than a year, descriptions, private attributes and all else stay in the file.
"""

import re

from pydicom import Dataset
from pydicom.multival import MultiValue

from xmirad.ids import is_placeholder
from xmirad.imaging.dicom.instance import is_valid_uid
from xmirad.types import DicomHeader, ItemAttributes, Patient, Sex

_CODE_LENGTH = 16
_IDENTIFIER_LENGTH = 256
_OLDEST_BAND = 90
_AGE = re.compile(r"(\d{3})([DWMY])")
_REQUIRED_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_DATE = re.compile(r"(1[89]|20|21)\d{6}")


def read_header(instance: Dataset, *, frame: int, frame_count: int) -> DicomHeader:
    """Take the attributes on the allow-list from an instance; a UID that is not valid counts as absent."""
    uids = {keyword: _uid(instance, keyword) for keyword in _REQUIRED_UIDS}
    patient_id = _text(instance, "PatientID", _IDENTIFIER_LENGTH)
    issuer = _text(instance, "IssuerOfPatientID", _IDENTIFIER_LENGTH)
    return DicomHeader(
        study_instance_uid=uids["StudyInstanceUID"],
        series_instance_uid=uids["SeriesInstanceUID"],
        sop_instance_uid=uids["SOPInstanceUID"],
        frame=frame,
        frame_count=frame_count,
        patient=None if is_placeholder(patient_id) else Patient(patient_id, issuer),
        attributes=ItemAttributes(
            modality=_code(instance, "Modality"),
            body_part=_code(instance, "BodyPartExamined"),
            view_position=_code(instance, "ViewPosition"),
            year=_year(instance),
            sex=_sex(instance),
            age_band=_age_band(instance),
        ),
        invalid_uids=tuple(keyword for keyword, uid in uids.items() if not uid),
    )


def _uid(instance: Dataset, keyword: str) -> str:
    value = instance.get(keyword)
    return str(value) if is_valid_uid(value) else ""


def _text(instance: Dataset, keyword: str, length: int) -> str:
    """Return an attribute's text without control characters, cut to a length; of several values all, as stored."""
    value = instance.get(keyword)
    if value is None:
        return ""
    text = "\\".join(str(part) for part in value) if isinstance(value, MultiValue) else str(value)
    return "".join(character for character in text if character.isprintable()).strip()[:length]


def _code(instance: Dataset, keyword: str) -> str:
    return _text(instance, keyword, _CODE_LENGTH).upper()


def _date(instance: Dataset, keyword: str) -> str | None:
    text = _text(instance, keyword, _CODE_LENGTH)
    return text if _DATE.fullmatch(text) else None


def _year(instance: Dataset) -> int | None:
    date = _date(instance, "StudyDate")
    return int(date[:4]) if date else None


def _sex(instance: Dataset) -> Sex | None:
    code = _code(instance, "PatientSex")
    return Sex(code) if code in list(Sex) else None


def _age_band(instance: Dataset) -> int | None:
    years = _age(instance)
    return None if years is None else min(years // 10 * 10, _OLDEST_BAND)


def _age(instance: Dataset) -> int | None:
    """Return the age in whole years: as stated, else between birth and study."""
    stated = _AGE.fullmatch(_code(instance, "PatientAge"))
    if stated:
        days = int(stated[1]) * {"D": 1, "W": 7, "M": 30.4375, "Y": 365.25}[stated[2]]
        return int(stated[1]) if stated[2] == "Y" else int(days / 365.25)
    birth, study = _date(instance, "PatientBirthDate"), _date(instance, "StudyDate")
    if not birth or not study or study < birth:
        return None
    return (int(study) - int(birth)) // 10_000
