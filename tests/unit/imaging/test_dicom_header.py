from typing import Any

import numpy as np
import pytest

from support.dicom_files import UID_ROOT, dicom_dataset, dicom_file, to_bytes
from xmirad.imaging.dicom.decode import decode_dicom
from xmirad.imaging.dicom.header import read_header
from xmirad.imaging.limits import DecodeLimits
from xmirad.types import DicomHeader, ItemAttributes, Patient, Sex

GRAY = np.arange(400, dtype=np.uint16).reshape(20, 20)
SECRETS = {
    "PatientName": "Secretname^Jane",
    "PatientBirthDate": "19620317",
    "PatientAddress": "Secretstreet 5",
    "PatientComments": "Secretcomment",
    "AccessionNumber": "SECRET4711",
    "StudyID": "SECRETSTUDY",
    "StudyDescription": "Secretdescription",
    "SeriesDescription": "Secretseries",
    "InstitutionName": "Secrethospital",
    "ReferringPhysicianName": "Secretdoctor",
    "OtherPatientIDs": "SECRETOTHER",
    "DeviceSerialNumber": "SECRETSERIAL",
    "ImageComments": "Secretimage",
}


def header_of(**attributes: Any) -> DicomHeader:  # noqa: ANN401 - any attribute
    return decode_dicom(dicom_file(GRAY, **attributes), None, DecodeLimits())[1]


def test_the_header_holds_the_attributes_of_the_allow_list() -> None:
    header = header_of(
        PatientID=" MRN-1 ",
        IssuerOfPatientID="SITE",
        Modality="CR",
        BodyPartExamined="chest",
        ViewPosition="PA",
        StudyDate="20190714",
        PatientSex="F",
        PatientAge="067Y",
    )
    assert header == DicomHeader(
        study_instance_uid=f"{UID_ROOT}.1",
        series_instance_uid=f"{UID_ROOT}.1.2",
        sop_instance_uid=f"{UID_ROOT}.1.2.3",
        frame=1,
        frame_count=1,
        patient=Patient("MRN-1", "SITE"),
        attributes=ItemAttributes(
            modality="CR", body_part="CHEST", view_position="PA", year=2019, sex=Sex.FEMALE, age_band=60
        ),
    )


def test_nothing_else_leaves_the_file() -> None:
    header = header_of(StudyDate="20190714", **SECRETS)
    assert "secret" not in repr(header).lower()
    assert "0714" not in repr(header)
    assert "1962" not in repr(header)


@pytest.mark.parametrize("patient_id", [None, "", "   "])
def test_a_missing_patient_id_is_no_patient(patient_id: str | None) -> None:
    assert header_of(PatientID=patient_id, IssuerOfPatientID="SITE").patient is None


@pytest.mark.parametrize(
    ("attributes", "band"),
    [
        ({"PatientAge": "000Y"}, 0),
        ({"PatientAge": "009Y"}, 0),
        ({"PatientAge": "010Y"}, 10),
        ({"PatientAge": "089Y"}, 80),
        ({"PatientAge": "090Y"}, 90),
        ({"PatientAge": "107Y"}, 90),
        ({"PatientAge": "018M"}, 0),
        ({"PatientAge": "130M"}, 10),
        ({"PatientAge": "600W"}, 10),
        ({"PatientAge": "900D"}, 0),
        ({"PatientAge": "67"}, None),
        ({"PatientAge": "", "PatientBirthDate": "19600715", "StudyDate": "20200714"}, 50),
        ({"PatientAge": "", "PatientBirthDate": "19600714", "StudyDate": "20200714"}, 60),
        ({"PatientBirthDate": "18991231", "StudyDate": "20200714"}, 90),
        ({"PatientBirthDate": "20210101", "StudyDate": "20200714"}, None),
        ({"PatientBirthDate": "nonsense", "StudyDate": "20200714"}, None),
        ({"PatientBirthDate": "19600714"}, None),
    ],
    ids=str,
)
def test_age_becomes_a_band_of_ten_years(attributes: dict[str, Any], band: int | None) -> None:
    header = read_header(dicom_dataset(GRAY, **attributes), frame=1, frame_count=1)
    assert header.attributes.age_band == band


@pytest.mark.parametrize(("date", "year"), [("20190714", 2019), ("2019", None), ("", None), ("00000000", None)])
def test_the_study_date_becomes_a_year(date: str, year: int | None) -> None:
    assert read_header(dicom_dataset(GRAY, StudyDate=date), frame=1, frame_count=1).attributes.year == year


@pytest.mark.parametrize(
    ("code", "sex"), [("M", Sex.MALE), ("O", Sex.OTHER), ("f", Sex.FEMALE), ("X", None), ("", None)]
)
def test_sex_is_one_of_the_standards_codes(code: str, sex: Sex | None) -> None:
    assert read_header(dicom_dataset(GRAY, PatientSex=code), frame=1, frame_count=1).attributes.sex == sex


def test_text_is_cut_and_free_of_control_characters() -> None:
    instance = dicom_dataset(
        GRAY,
        BodyPartExamined='CH\x1b[31mEST\r\n{"level":"info"}',
        ViewPosition="P" * 500,
        PatientID="A\nB" + "7" * 1000,
    )
    header = read_header(instance, frame=1, frame_count=1)
    assert header.attributes.body_part == 'CH[31MEST{"LEVEL'
    assert header.attributes.view_position == "P" * 16
    assert header.patient == Patient(("AB" + "7" * 1000)[:256])


@pytest.mark.parametrize("keyword", ["SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("value", ["../../etc", "1.2.x", "1" * 65, ""])
def test_a_uid_that_is_not_valid_is_left_out_and_named(keyword: str, value: str) -> None:
    instance = dicom_dataset(GRAY)
    setattr(instance, keyword, value)
    header = read_header(instance, frame=1, frame_count=1)
    assert header.invalid_uids == (keyword,)
    assert value not in repr(header) or not value


def test_an_image_without_any_uid_is_decoded() -> None:
    instance = dicom_dataset(GRAY)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        delattr(instance, keyword)
    header = decode_dicom(to_bytes(instance), None, DecodeLimits())[1]
    assert (header.study_instance_uid, header.series_instance_uid) == ("", "")
    assert header.invalid_uids == ("StudyInstanceUID", "SeriesInstanceUID")
