import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.bad_images import raster
from support.dicom_files import dicom_file
from xmirad.errors import InvalidImageError, InvalidRequestError
from xmirad.imaging.media import DICOM, data_set_encoding, field_of, media_type_of
from xmirad.types import EncodedImage

DICOM_FILE = dicom_file(np.zeros((20, 20), np.uint16))
PNG_IN_PREAMBLE = b"\x89PNG\r\n\x1a\n" + DICOM_FILE[8:]


def brands(major: bytes, *compatible: bytes) -> bytes:
    """Return the first box of an ISO base media file, and what may follow it."""
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (4 + len(body)).to_bytes(4, "big") + body + b"avif heic mif1"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (raster("PNG"), "image/png"),
        (raster("JPEG"), "image/jpeg"),
        (raster("TIFF"), "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"II+\0\x08\0\0\0", "image/tiff"),
        (b"MM\0+\0\x08\0\0", "image/tiff"),
        (raster("BMP"), "image/bmp"),
        (raster("WEBP"), "image/webp"),
        (raster("AVIF"), "image/avif"),
        (brands(b"heic", b"mif1", b"heic"), "image/heic"),
        (brands(b"hevc", b"msf1"), "image/heic"),
        (brands(b"mif1", b"heix", b"miaf"), "image/heic"),
        (brands(b"mif1", b"avif"), "image/avif"),
        (brands(b"avis"), "image/avif"),
        (brands(b"mif1", b"miaf"), "image/heif"),
        (DICOM_FILE, DICOM),
    ],
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


@pytest.mark.parametrize("data", [brands(b"heic"), brands(b"mif1")])
def test_heic_and_heif_are_two_names_of_one_container(data: bytes) -> None:
    for declared in ("image/heic", "image/heif"):
        assert media_type_of(EncodedImage(data, declared)) == declared
    with pytest.raises(InvalidRequestError):
        media_type_of(EncodedImage(data, "image/avif"))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (raster("GIF"), "a GIF image"),
        (raster("JPEG2000"), "a JPEG 2000 image"),
        (b"\xff\x4f\xff\x51" + bytes(40), "a JPEG 2000 codestream"),
        (b"\xff\x0a" + bytes(40), "a JPEG XL image"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04" + bytes(40), "a ZIP archive"),
        (b"\x1f\x8b\x08" + bytes(40), "a gzip archive (such as NIfTI .nii.gz)"),
        (b"\x5c\x01\0\0" + bytes(340) + b"n+1\0", "a NIfTI volume"),
        (brands(b"isom", b"mp42"), "an MP4 or QuickTime video, or another ISO base media file"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a RIFF file other than WebP"),
        (b"text", "of a kind that is not known"),
    ],
)
def test_a_file_that_is_not_read_is_named_beside_what_is_read(data: bytes, name: str) -> None:
    with pytest.raises(InvalidImageError) as caught:
        media_type_of(EncodedImage(data))
    read = "PNG, JPEG, TIFF, BMP, WebP, HEIC (HEIF) and AVIF images and DICOM files are read"
    assert caught.value.message == f"the file is {name}; {read}"


def data_set(vr: bytes, *elements: tuple[int, int, bytes], order: str = "<") -> bytes:
    """Return a data set of text elements, implicit if there is no value representation."""
    lengths = "I" if not vr else "2sH"
    return b"".join(
        struct.pack(f"{order}HH{lengths}", group, element, *([vr] if vr else []), len(value)) + value
        for group, element, value in elements
    )


STUDY = ((0x0008, 0x0005, b"ISO_IR 100"), (0x0008, 0x0016, b"1.2.840.10008.5.1.4.1.1.7\0"), (0x0008, 0x0020, b""))


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (data_set(b"", *STUDY), (True, True)),
        (data_set(b"CS", *STUDY), (False, True)),
        (data_set(b"CS", *STUDY, order=">"), (False, False)),
        (DICOM_FILE[132:], (False, True)),
    ],
    ids=["implicit", "explicit", "big endian", "meta group without preamble"],
)
def test_a_data_set_without_part_10_header_is_a_dicom_file(data: bytes, encoding: tuple[bool, bool]) -> None:
    assert data_set_encoding(data) == encoding
    assert media_type_of(EncodedImage(data)) == media_type_of(EncodedImage(data, DICOM)) == DICOM
    assert field_of(EncodedImage(data)) == "dicom_file"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08\x00",
        b"\x08\x00\x05\x00" + b"text " * 40,
        bytes(400),
        data_set(b"", *STUDY)[:20],
        data_set(b"CS", STUDY[1], STUDY[0], STUDY[2]),
        data_set(b"XX", *STUDY),
        data_set(b"", *((group + 8, element, value) for group, element, value in STUDY)),
    ],
    ids=["empty", "cut", "text", "zeros", "cut later", "descending", "unknown representation", "another group"],
)
def test_other_bytes_are_no_data_set(data: bytes) -> None:
    assert data_set_encoding(data) is None
    with pytest.raises(InvalidImageError):
        media_type_of(EncodedImage(data, DICOM))


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\x08\x00\x05\x00", b"\x00\x08\x00\x05CS", b"\x02\x00\x00\x00UL"])
)
def test_any_bytes_are_a_data_set_or_not(data: bytes, start: bytes) -> None:
    assert data_set_encoding(start + data) in {None, (True, True), (False, True), (False, False)}


def test_only_dicom_files_have_frames() -> None:
    assert media_type_of(EncodedImage(DICOM_FILE, "", 3)) == DICOM
    with pytest.raises(InvalidRequestError) as caught:
        media_type_of(EncodedImage(raster("PNG"), "", 1))
    assert caught.value.field == "dicom_file.frame"
