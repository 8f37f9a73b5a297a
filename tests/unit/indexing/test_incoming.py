"""Identity of what arrives: items, images, patients, and whose attributes count."""

import numpy as np
import pytest

from support.indexing import SITE_KEY
from support.records import GEOMETRY
from xmirad.errors import InvalidImageError
from xmirad.ids import image_digest, is_placeholder, item_id
from xmirad.indexing.incoming import Identified, IncomingItem, identify, image_of, merged, patient_key, stated_key
from xmirad.types import DecodedImage, DicomHeader, EncodedImage, ItemAttributes, Patient, Sex

DATA = b"file"
FILE = image_digest(DATA)
PATIENT = Patient("P1", "clinic")


def header(**changes: object) -> DicomHeader:
    values: dict[str, object] = {
        "study_instance_uid": "1.2.1",
        "series_instance_uid": "1.2.2",
        "sop_instance_uid": "1.2.3",
        "frame": 1,
        "frame_count": 1,
    }
    return DicomHeader(**(values | changes))  # type: ignore[arg-type]


def identified(dicom: DicomHeader | None = None, **fields: object) -> Identified:
    incoming = IncomingItem(**{"image": EncodedImage(DATA), **fields})  # type: ignore[arg-type]
    decoded = DecodedImage(np.zeros((2, 2, 3), np.uint8), GEOMETRY, "image/png", dicom)
    return identify("chest", incoming, decoded, file=FILE, site_key=SITE_KEY)


def test_a_raster_image_is_known_by_its_external_id_else_by_its_content() -> None:
    assert identified(external_id="x").item == item_id("chest", "external:x")
    assert identified().item == item_id("chest", f"content:{FILE}")


def test_a_dicom_image_is_known_by_instance_and_frame_whatever_its_external_id() -> None:
    first, second = header(frame=1, frame_count=2), header(frame=2, frame_count=2)
    assert identified(first).item == identified(first, external_id="x").item
    assert identified(first).item != identified(second).item
    assert identified(first).identity.sop_instance_uid == "1.2.3"
    assert (identified(second).identity.frame, identified(second).file) == (2, FILE)


def test_the_name_of_the_file_is_kept_and_decides_nothing() -> None:
    for dicom in (None, header()):
        named = identified(dicom, file_name="normal/a.png")
        assert named.identity.file_name == "normal/a.png"
        assert (named.item, named.patient) == (identified(dicom).item, identified(dicom).patient)


def test_an_instance_without_valid_uids_cannot_be_stored() -> None:
    with pytest.raises(InvalidImageError, match="no valid SeriesInstanceUID") as caught:
        identified(header(series_instance_uid="", invalid_uids=("SeriesInstanceUID",)))
    assert (caught.value.field, caught.value.metadata) == ("dicom_file", {"attribute": "SeriesInstanceUID"})


def test_frames_of_one_file_are_images_of_their_own() -> None:
    image = EncodedImage(DATA)
    assert image_of(image, None, file=FILE) == FILE
    assert image_of(image, header(), file=FILE) == FILE
    frames = {image_of(image, header(frame=frame, frame_count=2), file=FILE) for frame in (1, 2)}
    assert len(frames | {FILE}) == 3


def test_a_stated_patient_goes_before_the_header() -> None:
    dicom = header(patient=Patient("P2", "clinic"))
    assert patient_key(PATIENT, dicom, item="i", site_key=SITE_KEY) == (SITE_KEY.patient_key(PATIENT), True)
    assert patient_key(None, dicom, item="i", site_key=SITE_KEY) == (
        SITE_KEY.patient_key(Patient("P2", "clinic")),
        True,
    )


@pytest.mark.parametrize("patient", [None, Patient(""), Patient("   ", "clinic")])
def test_without_a_patient_id_the_study_counts_and_without_a_study_the_item(patient: Patient | None) -> None:
    dicom = header(patient=patient)
    assert patient_key(patient, dicom, item="i", site_key=SITE_KEY) == (SITE_KEY.study_key("1.2.1"), False)
    assert patient_key(patient, None, item="i", site_key=SITE_KEY) == (SITE_KEY.item_key("i"), False)


def test_items_without_a_patient_never_share_a_key() -> None:
    assert identified(external_id="a").patient != identified(external_id="b").patient


def test_what_is_stated_goes_before_what_the_header_says() -> None:
    stated = ItemAttributes(labels=("a",), modality="CR", year=2001)
    found = ItemAttributes(modality="DX", body_part="CHEST", year=1999, sex=Sex.FEMALE, age_band=40)
    expected = ItemAttributes(labels=("a",), modality="CR", year=2001, body_part="CHEST", sex=Sex.FEMALE, age_band=40)
    assert merged(stated, found) == expected


def test_an_age_band_of_zero_counts_as_stated() -> None:
    assert merged(ItemAttributes(age_band=0), ItemAttributes(age_band=40)).age_band == 0


@pytest.mark.parametrize(
    "placeholder", ["ANONYMOUS", "anon", "0", "00000", "N/A", "<unknown>", "De-Identified", "Test", "-"]
)
def test_a_placeholder_is_no_patient(placeholder: str) -> None:
    assert is_placeholder(placeholder)
    dicom = header(patient=Patient("P2", "clinic"))
    named = Patient(placeholder, "clinic")
    assert patient_key(named, dicom, item="i", site_key=SITE_KEY) == (
        SITE_KEY.patient_key(Patient("P2", "clinic")),
        True,
    )
    assert patient_key(named, header(patient=named), item="i", site_key=SITE_KEY) == (
        SITE_KEY.study_key("1.2.1"),
        False,
    )
    assert stated_key(named, site_key=SITE_KEY) is None


@pytest.mark.parametrize(
    "patient_id", ["1", "P0", "007", "ANON-17", "anonymous2", "test-4", "x", "Nanette", "MRN-0042"]
)
def test_an_identifier_that_tells_patients_apart_is_no_placeholder(patient_id: str) -> None:
    assert not is_placeholder(patient_id)
