"""Frames of DICOM files: transfer syntaxes, colors, and which frame is taken."""

import io
import itertools
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder

from support.dicom_files import (
    big_endian_file,
    compressed_file,
    dicom_dataset,
    dicom_file,
    encapsulated_file,
    to_bytes,
)
from xmirad.errors import InvalidImageError, InvalidRequestError, PayloadTooLargeError
from xmirad.imaging.dicom import SUPPORTED_TRANSFER_SYNTAXES
from xmirad.imaging.dicom.decode import decode_dicom
from xmirad.imaging.dicom.syntaxes import DECODERS
from xmirad.imaging.limits import DecodeLimits

GRAY = (np.add.outer(np.arange(48), np.arange(80)) * 20).astype(np.uint16)
GRAY_8 = (GRAY // 16).astype(np.uint8)
COLOR = np.stack([GRAY_8, GRAY_8[::-1], 255 - GRAY_8], axis=-1)
LOSSLESS = {
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "RLE": "1.2.840.10008.1.2.5",
}
KINDS: dict[str, tuple[npt.NDArray[Any], int]] = {
    "8 bits": (GRAY_8, 8),
    "12 bits": (GRAY, 12),
    "16 bits": (GRAY * 16, 16),
    "12 bits signed": ((GRAY.astype(int) - 1500).astype(np.int16), 12),
}
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
IMPLICIT = "1.2.840.10008.1.2"
WINDOW: dict[str, Any] = {"WindowCenter": 1200, "WindowWidth": 2500}


def decode(data: bytes, frame: int | None = None) -> npt.NDArray[np.uint8]:
    return np.asarray(decode_dicom(data, frame, DecodeLimits())[0])


def jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=98, subsampling=0)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("syntax", "kind"),
    # pydicom's JPEG-LS encoder writes no signed values
    [pair for pair in itertools.product(LOSSLESS, KINDS) if pair != ("JPEG-LS", "12 bits signed")],
)
def test_lossless_syntaxes_give_the_pixels_of_the_uncompressed_file(syntax: str, kind: str) -> None:
    pixels, bits = KINDS[kind]
    actual = decode(compressed_file(pixels, LOSSLESS[syntax], multi_frame=False, BitsStored=bits, **WINDOW))
    np.testing.assert_array_equal(actual, decode(dicom_file(pixels, multi_frame=False, BitsStored=bits, **WINDOW)))


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_syntaxes_keep_colors(syntax: str) -> None:
    np.testing.assert_array_equal(decode(compressed_file(COLOR, LOSSLESS[syntax])), COLOR)


def test_a_decoder_that_panics_gives_way_to_the_next_one() -> None:
    low, high = (bytes([0x81, value]) * 32 for value in (7, 0))
    header = struct.pack("<16I", 2, 64, 64 + len(high), *[0] * 13)
    overlong = header + high + low[:-2] + b"\x00\x07" * 100 + b"\x81\x07"  # more values than the frame has pixels
    pixels = np.full((64, 64), 7, np.uint16)
    np.testing.assert_array_equal(
        decode(encapsulated_file([overlong], LOSSLESS["RLE"], pixels, **WINDOW)),
        decode(dicom_file(pixels, **WINDOW)),
    )


@pytest.mark.parametrize("syntax", [JPEG_BASELINE, JPEG_EXTENDED])
def test_jpeg_is_close_to_what_was_compressed(syntax: str) -> None:
    window = {"WindowCenter": 128, "WindowWidth": 256}
    gray = decode(encapsulated_file([jpeg(GRAY_8)], syntax, GRAY_8, **window))
    color = decode(encapsulated_file([jpeg(COLOR)], syntax, COLOR, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(gray.astype(int) - GRAY_8).max() <= 3
    assert np.abs(color.astype(int) - COLOR).max() <= 6


def test_implicit_and_big_endian_files_are_read() -> None:
    expected = decode(dicom_file(GRAY, BitsStored=12, **WINDOW))
    implicit = dicom_dataset(GRAY, BitsStored=12, **WINDOW)
    np.testing.assert_array_equal(decode(to_bytes(implicit, IMPLICIT)), expected)
    np.testing.assert_array_equal(decode(big_endian_file(GRAY, BitsStored=12, **WINDOW)), expected)


def test_every_compressed_syntax_has_a_decoder_that_is_installed() -> None:
    for syntax, plugins in DECODERS.items():
        assert set(plugins) & set(get_decoder(syntax).available_plugins), syntax
    assert "1.2.840.10008.1.2.1.99" not in SUPPORTED_TRANSFER_SYNTAXES


def test_color_of_16_bits_is_scaled_over_bits_stored() -> None:
    color = COLOR.astype(np.uint16)
    np.testing.assert_array_equal(decode(dicom_file(color * 257)), COLOR)
    np.testing.assert_array_equal(decode(dicom_file((color // 16), BitsStored=4)), np.round(color // 16 / 15 * 255))


def test_planar_color_is_read() -> None:
    instance = dicom_dataset(COLOR, PlanarConfiguration=1)
    instance.PixelData = COLOR.transpose(2, 0, 1).tobytes()
    np.testing.assert_array_equal(decode(to_bytes(instance)), COLOR)


def test_uncompressed_ybr_becomes_rgb() -> None:
    ybr = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    actual = decode(dicom_file(ybr, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(actual.astype(int) - COLOR).max() <= 3


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_is_scaled_by_its_own_bits(bits: int) -> None:
    palette = np.random.default_rng(5).integers(0, 256, (3, 256), dtype=np.uint16)
    instance = dicom_dataset(GRAY_8, PhotometricInterpretation="PALETTE COLOR")
    for name, entries in zip(("Red", "Green", "Blue"), palette, strict=True):
        setattr(instance, f"{name}PaletteColorLookupTableDescriptor", [256, 0, bits])
        data = entries.astype("<u2") * 257 if bits == 16 else entries.astype(np.uint8)
        setattr(instance, f"{name}PaletteColorLookupTableData", data.astype(f"<u{bits // 8}").tobytes())
    np.testing.assert_array_equal(decode(to_bytes(instance)), palette.T[GRAY_8])


def test_one_bit_pixels_are_black_and_white() -> None:
    mask = (np.indices((16, 16)).sum(0) % 3 == 0).astype(np.uint8)
    instance = dicom_dataset(mask, BitsAllocated=1, BitsStored=1)
    instance.PixelData = np.packbits(mask, bitorder="little").tobytes()
    np.testing.assert_array_equal(decode(to_bytes(instance)), mask * 255)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_frames_of_single_bits_may_begin_within_a_byte(number: int) -> None:
    frames = np.stack([np.roll(GRAY[:13, :11] > 200, shift, axis=1) for shift in range(3)])
    instance = dicom_dataset(frames.astype(np.uint8), multi_frame=True)
    instance.BitsAllocated, instance.BitsStored, instance.HighBit = 1, 1, 0
    instance.PixelData = np.packbits(frames, bitorder="little").tobytes()
    np.testing.assert_array_equal(decode(to_bytes(instance), number), frames[number - 1] * 255)


def test_bits_above_bits_stored_do_not_count() -> None:
    expected = decode(dicom_file(GRAY, BitsStored=12, **WINDOW))
    np.testing.assert_array_equal(decode(dicom_file(GRAY | 0xF000, BitsStored=12, **WINDOW)), expected)


@pytest.mark.parametrize("syntax", [None, "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90"])
def test_the_frame_asked_for_is_decoded(syntax: str | None) -> None:
    frames = np.stack([np.roll(GRAY, 7 * shift, axis=1) for shift in range(3)])
    if syntax:
        data = compressed_file(frames, syntax, multi_frame=True, BitsStored=12, **WINDOW)
    else:
        data = dicom_file(frames, multi_frame=True, BitsStored=12, **WINDOW)
    for number in (1, 2, 3):
        expected = decode(dicom_file(frames[number - 1], BitsStored=12, **WINDOW))
        image, header, notes = decode_dicom(data, number, DecodeLimits())
        np.testing.assert_array_equal(np.asarray(image), expected)
        assert (header.frame, header.frame_count) == (number, 3)
        assert notes == ("window 1 of 1", f"frame {number} of 3")


@pytest.mark.parametrize("frame", [None, 0, 4, -1])
def test_several_frames_need_a_frame_that_exists(frame: int | None) -> None:
    data = dicom_file(np.stack([GRAY] * 3), multi_frame=True)
    with pytest.raises(InvalidRequestError) as caught:
        decode_dicom(data, frame, DecodeLimits())
    assert caught.value.field == "dicom_file.frame"
    assert caught.value.metadata["frame_count"] == "3"


@pytest.mark.parametrize("frame", [None, 1])
def test_a_single_frame_needs_no_number(frame: int | None) -> None:
    assert decode_dicom(dicom_file(GRAY, NumberOfFrames=1), frame, DecodeLimits())[1].frame == 1


def test_pixel_limits_hold_at_their_edge() -> None:
    decode_dicom(dicom_file(GRAY), None, DecodeLimits(max_pixels=48 * 80))
    with pytest.raises(PayloadTooLargeError):
        decode_dicom(dicom_file(GRAY), None, DecodeLimits(max_pixels=48 * 80 - 1))


def test_a_codestream_of_another_size_is_refused() -> None:
    data = encapsulated_file([jpeg(GRAY_8)], JPEG_BASELINE, GRAY_8, Rows=49)
    with pytest.raises(InvalidImageError) as caught:
        decode(data)
    assert caught.value.metadata == {
        "width": "80",
        "height": "49",
        "codestream_width": "80",
        "codestream_height": "48",
    }


def test_a_preamble_of_another_kind_does_not_matter() -> None:
    data = b"\x89PNG\r\n\x1a\n" + dicom_file(GRAY)[8:]
    np.testing.assert_array_equal(decode(data), decode(dicom_file(GRAY)))


def test_reading_leaves_the_file_unchanged() -> None:
    data = dicom_file(GRAY)
    decode(data)
    np.testing.assert_array_equal(dcmread(io.BytesIO(data)).pixel_array, GRAY)
