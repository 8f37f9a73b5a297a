import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import get_frame

from support.bad_images import jpeg_claiming
from support.dicom_files import compressed_file
from xmirad.imaging.dicom.codestream import Codestream, read_codestream

JPEG_2000 = "1.2.840.10008.1.2.4.90"
GRAY = np.arange(37 * 53, dtype=np.uint16).reshape(37, 53)


def size_of(data: bytes) -> tuple[int, int, int]:
    codestream = read_codestream(data)
    return codestream.width, codestream.height, codestream.components


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"], ids=["JPEG-LS", "JPEG 2000"])
def test_the_size_that_encoders_write_is_read(syntax: str) -> None:
    frame = get_frame(dcmread(io.BytesIO(compressed_file(GRAY, syntax))).PixelData, 0, number_of_frames=1)
    assert size_of(frame) == (53, 37, 1)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_the_size_that_pillow_writes_is_read(kind: str, progressive: bool) -> None:
    buffer = io.BytesIO()
    options = {"progressive": progressive, "exif": b"Exif\0\0" + bytes(500)} if kind == "JPEG" else {}
    Image.new("RGB", (53, 37)).save(buffer, kind, **options)
    assert size_of(buffer.getvalue()) == (53, 37, 3)


def test_fill_bytes_before_a_marker_are_passed_over() -> None:
    codestream = jpeg_claiming(53, 37)
    assert size_of(codestream[:2] + b"\xff" * 9 + codestream[2:]) == (53, 37, 1)


@pytest.mark.parametrize("values", [GRAY, GRAY.astype(np.int16)], ids=["unsigned", "signed"])
def test_jpeg_2000_says_bits_and_sign(values: npt.NDArray[Any]) -> None:
    frame = get_frame(dcmread(io.BytesIO(compressed_file(values, JPEG_2000, BitsStored=12))).PixelData, 0)
    codestream = read_codestream(frame)
    assert (codestream.bits, codestream.is_signed) == (12, values.dtype.kind == "i")


@pytest.mark.parametrize("transform", [0, 1])
def test_the_component_transform_of_jpeg_2000_is_read(transform: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (53, 37)).save(buffer, "JPEG2000", mct=transform, no_jp2=True)
    assert read_codestream(buffer.getvalue()).decodes_to_rgb == bool(transform)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  "]))
@example(b"\xff\xd0" * 50, b"\xff\xd8")
@example(b"\xff\xe0\x00\x00" * 50, b"\xff\xd8")
def test_any_bytes_give_a_size_or_a_value_error(data: bytes, start: bytes) -> None:
    try:
        codestream = read_codestream(start + data)
    except ValueError:
        return
    assert isinstance(codestream, Codestream)
