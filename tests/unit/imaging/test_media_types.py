import numpy as np
import pytest

from support.bad_images import raster
from support.dicom_files import dicom_file
from xmirad.errors import InvalidImageError, InvalidRequestError
from xmirad.imaging.media import DICOM, field_of, media_type_of
from xmirad.types import EncodedImage

DICOM_FILE = dicom_file(np.zeros((20, 20), np.uint16))
PNG_IN_PREAMBLE = b"\x89PNG\r\n\x1a\n" + DICOM_FILE[8:]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (raster("PNG"), "image/png"),
        (raster("JPEG"), "image/jpeg"),
        (raster("TIFF"), "image/tiff"),
        (raster("BMP"), "image/bmp"),
        (DICOM_FILE, DICOM),
    ],
    ids=["png", "jpeg", "tiff", "bmp", "dicom"],
)
def test_a_media_type_is_detected_and_confirmed(data: bytes, media_type: str) -> None:
    assert media_type_of(EncodedImage(data)) == media_type
    assert media_type_of(EncodedImage(data, media_type)) == media_type
    assert field_of(EncodedImage(data)) == ("dicom_file" if media_type == DICOM else "image")


def test_a_file_of_two_kinds_is_what_it_is_declared_to_be_else_dicom() -> None:
    assert media_type_of(EncodedImage(PNG_IN_PREAMBLE)) == DICOM
    assert media_type_of(EncodedImage(PNG_IN_PREAMBLE, DICOM)) == DICOM
    assert media_type_of(EncodedImage(PNG_IN_PREAMBLE, "image/png")) == "image/png"


@pytest.mark.parametrize("declared", ["image/jpeg", "image/gif", "text/plain"])
def test_another_type_than_declared_is_a_request_error(declared: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        media_type_of(EncodedImage(raster("PNG"), declared))
    assert (caught.value.field, caught.value.metadata) == ("image.media_type", {"detected_media_type": "image/png"})


@pytest.mark.parametrize(("declared", "field"), [("", "image"), ("image/png", "image"), (DICOM, "dicom_file")])
def test_an_unknown_file_is_an_image_error(declared: str, field: str) -> None:
    with pytest.raises(InvalidImageError) as caught:
        media_type_of(EncodedImage(b"text", declared))
    assert caught.value.field == field


def test_only_dicom_files_have_frames() -> None:
    assert media_type_of(EncodedImage(DICOM_FILE, "", 3)) == DICOM
    with pytest.raises(InvalidRequestError) as caught:
        media_type_of(EncodedImage(raster("PNG"), "", 1))
    assert caught.value.field == "dicom_file.frame"
