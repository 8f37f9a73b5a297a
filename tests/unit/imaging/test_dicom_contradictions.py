"""Headers that contradict their codestream or lack attributes, tables and padding that are not as declared.

Each file is compared with a plain one of the same pixels.
"""

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence
from pydicom.uid import UID

from support.dicom_files import (
    big_endian_file,
    compressed_file,
    dicom_dataset,
    dicom_file,
    encapsulated_file,
    lookup_table,
    to_bytes,
)
from xmirad.errors import InvalidImageError
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.dicom.decode import decode_dicom
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE
from xmirad.types import EncodedImage

IMPLICIT = "1.2.840.10008.1.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
JPEG_2000_LOSSY = "1.2.840.10008.1.2.4.91"
RLE = "1.2.840.10008.1.2.5"
GRAY = np.linspace(0, 4095, 64 * 80).astype(np.uint16).reshape(64, 80)
SIGNED = (GRAY.astype(int) - 2048).astype(np.int16)
GRAY_8 = (GRAY // 16).astype(np.uint8)
COLOR = np.stack([GRAY_8, GRAY_8[::-1], 255 - GRAY_8], axis=-1)
WINDOW: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 3000}
SIGNED_WINDOW: dict[str, Any] = {"WindowCenter": 0, "WindowWidth": 3000}
GAMMA = (np.sqrt(np.linspace(0, 1, 4096)) * 4095).astype(np.uint16)


def decode(data: bytes, frame: int | None = None) -> npt.NDArray[np.int64]:
    return np.asarray(decode_dicom(data, frame, DecodeLimits())[0]).astype(np.int64)


def notes_of(data: bytes) -> tuple[str, ...]:
    return decode_dicom(data, None, DecodeLimits())[2]


def codestream(values: npt.NDArray[Any], syntax: str, bits: int) -> bytes:
    data = dcmread(io.BytesIO(compressed_file(values, syntax, BitsStored=bits))).PixelData
    return get_frame(data, 0, number_of_frames=1)


def pillow(pixels: npt.NDArray[Any], kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


PLAIN = decode(dicom_file(GRAY, BitsStored=12, **WINDOW))
PLAIN_SIGNED = decode(dicom_file(SIGNED, BitsStored=12, **SIGNED_WINDOW))


# Codestream against header


@pytest.mark.parametrize("syntax", [JPEG_2000, "1.2.840.10008.1.2.4.91"])
@pytest.mark.parametrize("said", [0, 1])
@pytest.mark.parametrize("allocated", [12, 16])
def test_the_sign_of_a_jpeg_2000_codestream_counts(syntax: str, said: int, allocated: int) -> None:
    frame = codestream(SIGNED, JPEG_2000, 12)
    data = encapsulated_file([frame], syntax, SIGNED, BitsStored=allocated, PixelRepresentation=said, **SIGNED_WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN_SIGNED)


@pytest.mark.parametrize(("syntax", "bits"), [(JPEG_2000, 12), (JPEG_2000, 16), (JPEG_LS, 12), (JPEG_LS, 16)])
def test_signed_values_in_an_unsigned_codestream_are_read_by_the_header(syntax: str, bits: int) -> None:
    words = (SIGNED & 0x0FFF).astype(np.uint16)
    data = encapsulated_file([codestream(words, syntax, bits)], syntax, SIGNED, BitsStored=12, **SIGNED_WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN_SIGNED)


@pytest.mark.parametrize("syntax", [JPEG_2000, JPEG_LS])
def test_bits_above_bits_stored_in_a_codestream_do_not_count(syntax: str) -> None:
    data = encapsulated_file([codestream(GRAY | 0xA000, syntax, 16)], syntax, GRAY, BitsStored=12, **WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN)


@pytest.mark.parametrize("syntax", [JPEG_2000, JPEG_LS, RLE])
def test_high_bit_holds_in_codestreams_of_whole_words(syntax: str) -> None:
    instance = dicom_dataset(GRAY << 4, BitsStored=16)
    instance.compress(syntax, generate_instance_uid=False)
    instance.BitsStored, instance.HighBit = 12, 15
    instance.WindowCenter, instance.WindowWidth = 2048, 3000
    np.testing.assert_array_equal(decode(to_bytes(instance)), PLAIN)


@pytest.mark.parametrize("high_bit", [5, 16, 40, None])
def test_an_impossible_high_bit_is_passed_over(high_bit: int | None) -> None:
    np.testing.assert_array_equal(decode(dicom_file(GRAY, BitsStored=12, HighBit=high_bit, **WINDOW)), PLAIN)


@pytest.mark.parametrize("syntax", [JPEG_2000, JPEG_LS])
def test_a_codestream_of_more_bits_than_the_header_allocates_counts(syntax: str) -> None:
    data = encapsulated_file([codestream(GRAY, syntax, 12)], syntax, GRAY_8, **WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN)


@pytest.mark.parametrize("said", [0, 1])
@pytest.mark.parametrize("values", [2 * GRAY, 2 * SIGNED], ids=["unsigned", "signed"])
def test_values_of_more_bits_than_stored_are_those_of_jpeg_2000(values: npt.NDArray[Any], said: int) -> None:
    window: dict[str, Any] = {"WindowCenter": 4096 if values.dtype.kind == "u" else 0, "WindowWidth": 8192}
    if said and values.dtype.kind == "u":  # the codestream cannot say that its words are signed, so the header does
        expected = decode(dicom_file((values << 3).view(np.int16) >> 3, **window))
    else:
        expected = decode(dicom_file(values, **window))
    frame = codestream(values, JPEG_2000, 13)
    data = encapsulated_file([frame], JPEG_2000, GRAY, BitsStored=12, PixelRepresentation=said, **window)
    np.testing.assert_array_equal(decode(data), expected)


@pytest.mark.parametrize(("kind", "syntax"), [("JPEG", JPEG_BASELINE), ("JPEG2000", JPEG_2000)])
@pytest.mark.parametrize("stored", [8, 12, 16])
def test_a_codestream_of_8_bits_under_a_header_of_16(kind: str, syntax: str, stored: int) -> None:
    options: dict[str, Any] = {"quality": 98} if kind == "JPEG" else {"no_jp2": True}
    window = {"WindowCenter": 128, "WindowWidth": 256}
    gray = encapsulated_file([pillow(GRAY_8, kind, **options)], syntax, GRAY, BitsStored=stored, **window)
    assert np.abs(decode(gray) - GRAY_8).max() <= 3
    color = encapsulated_file(
        [pillow(COLOR, kind, **options | ({"subsampling": 0} if kind == "JPEG" else {"mct": 1}))],
        syntax,
        COLOR.astype(np.uint16),
        BitsStored=stored,
        PhotometricInterpretation="YBR_FULL" if kind == "JPEG" else "RGB",
    )
    assert np.abs(decode(color) - COLOR).max() <= 6


@pytest.mark.parametrize("photometric", ["RGB", "YBR_RCT", "YBR_ICT", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("planar", [0, 1])
def test_colors_of_jpeg_2000_with_a_component_transform_are_converted_once(photometric: str, planar: int) -> None:
    frame = pillow(COLOR, "JPEG2000", no_jp2=True, mct=1)
    data = encapsulated_file(
        [frame], JPEG_2000, COLOR, PhotometricInterpretation=photometric, PlanarConfiguration=planar
    )
    np.testing.assert_array_equal(decode(data), COLOR)


@pytest.mark.parametrize("planar", [0, 1])
def test_ybr_in_jpeg_2000_without_a_component_transform_becomes_rgb(planar: int) -> None:
    ybr = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    data = encapsulated_file(
        [pillow(ybr, "JPEG2000", no_jp2=True, mct=0)],
        JPEG_2000,
        COLOR,
        PhotometricInterpretation="YBR_FULL",
        PlanarConfiguration=planar,
    )
    assert np.abs(decode(data) - COLOR).max() <= 3


@pytest.mark.parametrize("photometric", ["YBR_ICT", "YBR_RCT"])
def test_jpeg_under_a_color_space_of_jpeg_2000_becomes_rgb(photometric: str) -> None:
    frame = pillow(COLOR, "JPEG", quality=95, subsampling=0)
    data = encapsulated_file([frame], JPEG_BASELINE, COLOR, PhotometricInterpretation=photometric)
    assert np.abs(decode(data) - COLOR).max() <= 8


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("transform", [0, 1])
def test_the_adobe_marker_of_a_jpeg_says_its_colors(transform: int, photometric: str) -> None:
    pixels = COLOR if transform else np.asarray(Image.fromarray(COLOR))
    jpeg = pillow(pixels, "JPEG", quality=98, subsampling=0, **({} if transform else {"keep_rgb": True}))
    start = jpeg.index(b"\xff\xdb")  # leave out what comes before the quantization tables: JFIF or Adobe
    adobe = b"\xff\xee" + struct.pack(">H", 14) + b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
    data = encapsulated_file(
        [jpeg[:2] + adobe + jpeg[start:]], JPEG_BASELINE, COLOR, PhotometricInterpretation=photometric
    )
    assert np.abs(decode(data) - COLOR).max() <= 6


def test_signed_color_is_read_as_unsigned() -> None:
    np.testing.assert_array_equal(decode(dicom_file(COLOR, PixelRepresentation=1)), COLOR)


def test_uncompressed_ybr_of_16_bits_becomes_rgb() -> None:
    ybr = np.asarray(Image.fromarray(COLOR).convert("YCbCr")).astype(np.uint16) * 257
    assert np.abs(decode(dicom_file(ybr, PhotometricInterpretation="YBR_FULL")) - COLOR).max() <= 3


def test_a_frame_that_no_decoder_reads_is_named_by_kind_and_bits() -> None:
    broken = codestream(GRAY, JPEG_2000, 12)[:200]
    with pytest.raises(InvalidImageError, match=r"JPEG 2000 .*, 12 bits a sample") as caught:
        decode(encapsulated_file([broken], JPEG_2000, GRAY, BitsStored=12))
    assert caught.value.metadata == {"transfer_syntax": JPEG_2000, "bits": "12"}


# What is missing


@pytest.mark.parametrize("syntax", [JPEG_LS, JPEG_2000, JPEG_BASELINE])
@pytest.mark.parametrize(("kept", "reason"), [(0.1, "damaged|without end marker"), (0.5, "without end marker")])
def test_a_cut_frame_is_refused_at_once_with_the_reason(syntax: str, kept: float, reason: str) -> None:
    whole = pillow(GRAY_8, "JPEG") if syntax == JPEG_BASELINE else codestream(GRAY_8, syntax, 8)
    data = encapsulated_file([whole[: int(kept * len(whole))]], syntax, GRAY_8)
    began = time.process_time()
    with pytest.raises(InvalidImageError, match=reason):
        decode(data)
    assert time.process_time() - began < 2


TWELVE_BIT_FILE = Path(__file__).parents[2] / "data" / "images" / "dicom" / "jpeg-extended-12-bit.dcm"


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("kept", [0.4, 0.7, 0.95])
def test_a_cut_jpeg_frame_with_an_end_marker_is_refused(bits: int, kept: float) -> None:
    instance: Dataset = dcmread(TWELVE_BIT_FILE)
    frame = get_frame(instance.PixelData, 0, number_of_frames=1)
    if bits == 8:
        noise = np.random.default_rng(7).integers(0, 256, GRAY_8.shape, dtype=np.uint8)
        frame, instance = pillow(noise, "JPEG"), dicom_dataset(noise)
        instance.file_meta.TransferSyntaxUID = UID(JPEG_BASELINE)
    instance.PixelData = encapsulate([frame[: int(kept * len(frame))] + b"\xff\xd9"])
    instance["PixelData"].VR, instance["PixelData"].is_undefined_length = "OB", True
    with pytest.raises(InvalidImageError, match="ends before its pixels do"):
        decode(to_bytes(instance))


@pytest.mark.parametrize("pixels", [np.full((40, 56), 128, np.uint8), np.full((40, 56, 3), 128, np.uint8)])
@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_whole_jpeg_frame_may_end_with_middle_gray(pixels: npt.NDArray[np.uint8], *, is_progressive: bool) -> None:
    frame = pillow(pixels, "JPEG", progressive=is_progressive)
    photometric = "YBR_FULL_422" if pixels.ndim == 3 else "MONOCHROME2"
    data = encapsulated_file([frame], JPEG_BASELINE, pixels, PhotometricInterpretation=photometric)
    np.testing.assert_array_equal(decode(data), pixels)


def test_a_jpeg_ls_frame_needs_no_end_marker() -> None:
    frame = codestream(GRAY, JPEG_LS, 12).rstrip(b"\0").removesuffix(b"\xff\xd9")
    data = encapsulated_file([frame], JPEG_LS, GRAY, BitsStored=12, **WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "PixelRepresentation"])
def test_a_missing_attribute_is_named(keyword: str) -> None:
    instance = dicom_dataset(GRAY)
    delattr(instance, keyword)
    with pytest.raises(InvalidImageError, match=keyword) as caught:
        decode(to_bytes(instance))
    assert caught.value.metadata == {"attribute": keyword}


def test_an_unknown_value_representation_is_named_with_its_attribute() -> None:
    data = dicom_file(GRAY, BitsStored=12).replace(b"\x28\0\x01\x01US", b"\x28\0\x01\x01ZZ")
    with pytest.raises(InvalidImageError, match="BitsStored of the DICOM file is missing or not valid"):
        decode(data)


@pytest.mark.parametrize("name", ["MONOCHROME2\n", "\tMONOCHROME2\r\n"])
def test_white_space_around_a_code_does_not_count(name: str) -> None:
    data = dicom_file(GRAY, BitsStored=12, PhotometricInterpretation=name, **WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN)


def test_a_missing_palette_is_named() -> None:
    data = dicom_file(GRAY_8, PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(InvalidImageError, match="RedPaletteColorLookupTableDescriptor"):
        decode(data)


@pytest.mark.parametrize("syntax", [RLE, JPEG_2000])
def test_a_frame_before_missing_ones_is_decoded(syntax: str) -> None:
    frames = np.stack([np.roll(GRAY, 7 * shift, axis=1) for shift in range(3)])
    instance = dicom_dataset(frames, multi_frame=True, BitsStored=12, **WINDOW)
    instance.compress(syntax, generate_instance_uid=False)
    encoded = [get_frame(instance.PixelData, index, number_of_frames=3) for index in range(2)]
    instance.PixelData = encapsulate(encoded, has_bot=False)
    np.testing.assert_array_equal(decode(to_bytes(instance), 2), decode(dicom_file(frames[1], BitsStored=12, **WINDOW)))
    with pytest.raises(InvalidImageError, match="fewer frames"):
        decode(to_bytes(instance), 3)


def without_header(syntax: str | None, *, keep: str) -> bytes:
    """Return a data set without preamble, or without File Meta Information too, or with a preamble alone."""
    instance = dicom_dataset(GRAY, BitsStored=12, **WINDOW)
    whole = big_endian_file(GRAY, BitsStored=12, **WINDOW) if syntax == "big" else to_bytes(instance, syntax)
    meta_length = struct.unpack_from("<I", whole, 140)[0] + 12
    body = whole[132 + meta_length :]
    return {"nothing": body, "meta": whole[132:], "preamble": whole[:132] + body}[keep]


@pytest.mark.parametrize("keep", ["nothing", "meta", "preamble"])
@pytest.mark.parametrize("syntax", [IMPLICIT, None, "big"], ids=["implicit", "explicit", "big endian"])
def test_a_data_set_without_part_10_header_is_decoded(syntax: str | None, keep: str) -> None:
    data = without_header(syntax, keep=keep)
    recipe = decode_image(EncodedImage(dicom_file(GRAY, BitsStored=12, **WINDOW)), EFFICIENTNET_LITE, DecodeLimits())
    decoded = decode_image(EncodedImage(data), EFFICIENTNET_LITE, DecodeLimits())
    np.testing.assert_array_equal(decoded.pixels, recipe.pixels)
    assert decoded.media_type == "application/dicom"
    guessed = "no File Meta Information: transfer syntax guessed"
    assert (guessed in decoded.notes) == (keep != "meta")


def test_the_first_of_two_meta_groups_counts() -> None:
    whole = dicom_file(GRAY, BitsStored=12, **WINDOW)
    end = 144 + struct.unpack_from("<I", whole, 140)[0]
    other = encapsulated_file([bytes(8)], JPEG_2000, GRAY)
    other_end = 144 + struct.unpack_from("<I", other, 140)[0]
    np.testing.assert_array_equal(decode(whole[:end] + other[132:other_end] + whole[end:]), PLAIN)


# Tables


def item_of(sequence: Sequence) -> Dataset:
    item: Dataset = sequence[0]
    return item


@pytest.mark.parametrize("keyword", ["LUTDescriptor", "LUTData"])
@pytest.mark.parametrize("is_absent", [False, True])
def test_items_without_a_table_are_no_tables(keyword: str, *, is_absent: bool) -> None:
    table = lookup_table(GAMMA, first=0, bits=12)
    setattr(item_of(table), keyword, None)
    if is_absent:
        delattr(item_of(table), keyword)
    np.testing.assert_array_equal(decode(dicom_file(GRAY, BitsStored=12, VOILUTSequence=table, **WINDOW)), PLAIN)
    data = dicom_file(
        GRAY, BitsStored=12, ModalityLUTSequence=table, RescaleSlope=1, RescaleIntercept=-2048, **SIGNED_WINDOW
    )
    np.testing.assert_array_equal(decode(data), PLAIN_SIGNED)
    assert notes_of(data) == ("window 1 of 1",)


@pytest.mark.parametrize("missing", [1, 96, 3000])
@pytest.mark.parametrize("vr", ["OW", "US"])
def test_a_voi_table_that_is_short_is_passed_over(missing: int, vr: str) -> None:
    table = lookup_table(GAMMA, first=0, bits=12)
    short = GAMMA[: len(GAMMA) - missing]
    item_of(table).add_new("LUTData", vr, short.tobytes() if vr == "OW" else [int(entry) for entry in short])
    data = dicom_file(GRAY, BitsStored=12, VOILUTSequence=table, **WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN)
    assert notes_of(data) == ("VOI LUT 1 of 1 is not valid", "window 1 of 1")
    alone = dicom_file(GRAY, BitsStored=12, VOILUTSequence=table)
    np.testing.assert_array_equal(decode(alone), decode(dicom_file(GRAY, BitsStored=12)))
    assert notes_of(alone) == ("VOI LUT 1 of 1 is not valid", "no usable window: percentiles")


def test_the_next_voi_table_is_taken_if_the_first_is_broken() -> None:
    good, broken = lookup_table(GAMMA, first=0, bits=12), lookup_table(GAMMA, first=0, bits=12)
    item_of(broken).LUTDescriptor = [5000, 0, 12]
    data = dicom_file(GRAY, BitsStored=12, VOILUTSequence=Sequence([broken[0], good[0]]))
    np.testing.assert_array_equal(decode(data), decode(dicom_file(GRAY, BitsStored=12, VOILUTSequence=good)))


def test_a_broken_modality_table_leaves_the_rescale_or_is_refused() -> None:
    table = lookup_table(GAMMA, first=0, bits=12)
    item_of(table).LUTDescriptor = [4097, 0, 12]
    rescale: dict[str, Any] = {"RescaleSlope": 1, "RescaleIntercept": -2048}
    data = dicom_file(GRAY, BitsStored=12, ModalityLUTSequence=table, **rescale, **SIGNED_WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN_SIGNED)
    assert notes_of(data)[0] == "Modality LUT is not valid: rescale instead"
    with pytest.raises(InvalidImageError, match="ModalityLUTSequence"):
        decode(dicom_file(GRAY, BitsStored=12, ModalityLUTSequence=table, **WINDOW))


@pytest.mark.parametrize(("declared", "scale"), [(16, 1), (14, 1), (10, 1), (16, 0.5), (8, 16)])
def test_a_voi_table_of_other_bits_than_declared_is_shown_up_to_its_highest_entry(declared: int, scale: float) -> None:
    entries = (GAMMA * scale).astype(np.uint16)
    data = dicom_file(GRAY, BitsStored=12, VOILUTSequence=lookup_table(entries, first=0, bits=declared))
    expected = entries[GRAY] / entries.max() * 255
    assert np.abs(decode(data) - expected).max() <= 0.51
    note = f"VOI LUT shown up to its highest entry {entries.max()} instead of {declared} bits"
    assert notes_of(data) == ("VOI LUT 1 of 1", note)


@pytest.mark.parametrize(
    ("dtype", "first"),
    [(np.uint8, 100), (np.int8, -50), (np.uint16, 1000), (np.int16, -32768), (np.int16, 20000), (np.uint16, 40000)],
)
@pytest.mark.parametrize("syntax", [None, IMPLICIT], ids=["explicit", "implicit"])
def test_modality_tables_keep_their_ends_in_every_type(dtype: type, first: int, syntax: str | None) -> None:
    info = np.iinfo(dtype)
    values: npt.NDArray[Any] = np.linspace(info.min, info.max, 4096).astype(dtype).reshape(64, 64)
    entries = np.linspace(10, 4000, 200).astype(np.uint16)
    table = lookup_table(entries, first=first, bits=12, is_signed=info.min < 0)
    described: dict[str, Any] = {"ModalityLUTSequence": table, "WindowCenter": 2048, "WindowWidth": 4096}
    expected = entries[np.clip(values.astype(int) - first, 0, 199)].astype(float)
    actual = decode(to_bytes(dicom_dataset(values, **described), syntax))
    assert np.abs(actual - np.clip(expected / 4095 * 255, 0, 255)).max() <= 0.51


# Rescale and window


@pytest.mark.parametrize("comma", ["-2048,0", " -2048,00", "-2048.0"])
def test_decimal_commas_are_read(comma: str) -> None:
    instance = dicom_dataset(GRAY, BitsStored=12, **SIGNED_WINDOW)
    instance.add_new("RescaleIntercept", "LO", comma)
    instance.add_new("RescaleSlope", "LO", "1,0")
    data = to_bytes(instance).replace(b"\x52\x10LO", b"\x52\x10DS").replace(b"\x53\x10LO", b"\x53\x10DS")
    np.testing.assert_array_equal(decode(data), PLAIN_SIGNED)


@pytest.mark.parametrize("text", ["none", "1-2", "--", "nan"])
def test_a_rescale_that_cannot_be_read_makes_the_window_meaningless(text: str) -> None:
    instance = dicom_dataset(GRAY, BitsStored=12, RescaleSlope=1, **WINDOW)
    instance.add_new("RescaleIntercept", "LO", text)
    data = to_bytes(instance).replace(b"\x52\x10LO", b"\x52\x10DS")
    np.testing.assert_array_equal(decode(data), decode(dicom_file(GRAY, BitsStored=12)))
    assert notes_of(data) == ("rescale cannot be read", "no usable window: percentiles")


@pytest.mark.parametrize(("center", "width"), [("\\2048", "\\3000"), ("40\\2048", "0\\3000"), ("x\\2048", "9\\3000")])
def test_the_first_valid_one_of_several_windows_is_taken(center: str, width: str) -> None:
    instance = dicom_dataset(GRAY, BitsStored=12)
    instance.add_new("WindowCenter", "LO", center)
    instance.add_new("WindowWidth", "LO", width)
    data = to_bytes(instance).replace(b"\x50\x10LO", b"\x50\x10DS").replace(b"\x51\x10LO", b"\x51\x10DS")
    np.testing.assert_array_equal(decode(data), PLAIN)
    assert notes_of(data) == ("window 2 of 2",)


def test_a_slope_of_zero_is_no_rescale() -> None:
    data = dicom_file(GRAY, BitsStored=12, RescaleSlope=0, RescaleIntercept=7, **WINDOW)
    np.testing.assert_array_equal(decode(data), PLAIN)


# Padding


def disc(dtype: type, body: int) -> npt.NDArray[Any]:
    """Return a disc of noise around a value, with 0 outside of it."""
    y, x = np.mgrid[-64:64, -64:64]
    noise = np.random.default_rng(3).normal(body, 60, (128, 128))
    return np.where(x * x + y * y < 50 * 50, noise, 0).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "bits", "value"),
    [
        (np.uint8, 8, 65535),
        (np.uint8, 8, -2000),
        (np.int8, 8, 255),
        (np.uint16, 12, 63536),
        (np.uint16, 12, -1),
        (np.int16, 12, 32767),
    ],
)
@pytest.mark.parametrize("window", [{}, WINDOW], ids=["no window", "window"])
def test_padding_that_no_pixel_can_have_matches_nothing(
    dtype: type, bits: int, value: int, window: dict[str, Any]
) -> None:
    info = np.iinfo(dtype)
    low = -(1 << (bits - 1)) if info.min < 0 else 0
    values: npt.NDArray[Any] = np.linspace(low, low + (1 << bits) - 1, 4096).astype(dtype).reshape(64, 64)
    if dtype is np.int8:  # 255 is -1 with its sign lost
        assert decode(dicom_file(values, PixelPaddingValue=value, **window)).size
        return
    plain, padded = dicom_dataset(values, BitsStored=bits, **window), dicom_dataset(values, BitsStored=bits, **window)
    padded.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
    np.testing.assert_array_equal(decode(to_bytes(padded)), decode(to_bytes(plain)))


@pytest.mark.parametrize("value", [-2000, 63536, 2096])
def test_padding_of_signed_values_is_found_however_its_sign_is_written(value: int) -> None:
    values = SIGNED.copy()
    values[:20] = -2000
    instance = dicom_dataset(values, BitsStored=12, PhotometricInterpretation="MONOCHROME1", **SIGNED_WINDOW)
    instance.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
    assert set(decode(to_bytes(instance))[:20].flat) == {0}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, 5])
def test_padding_is_recognized_after_lossy_compression(photometric: str, limit: int | None) -> None:
    values = disc(np.uint16, 2000)
    padding: dict[str, Any] = {"PixelPaddingValue": 0} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})
    described: dict[str, Any] = {"PhotometricInterpretation": photometric, **padding}
    instance = dicom_dataset(values, **described)
    instance.compress(JPEG_2000_LOSSY, j2k_cr=[20], generate_instance_uid=False)
    lossy, exact = decode(to_bytes(instance)), decode(dicom_file(values, **described))
    outside, inside = values == 0, disc(np.uint16, 2000) > 0
    assert (lossy[outside] == 0).mean() > 0.96  # the rest is next to the edge of the disc, where compression rings
    assert abs(lossy[inside].mean() - exact[inside].mean()) < 4


def test_dark_pixels_within_the_body_are_no_padding() -> None:
    values = disc(np.uint16, 2000)
    values[60:70, 60:70] = 30
    instance = dicom_dataset(values, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1")
    instance.compress(JPEG_2000_LOSSY, j2k_cr=[4], generate_instance_uid=False)
    assert decode(to_bytes(instance))[62:68, 62:68].min() > 250


@pytest.mark.parametrize("value", [1000, 2000, 3000])
def test_a_band_of_values_near_padding_is_no_padding_after_lossy_compression(value: int) -> None:
    frame = codestream(GRAY, JPEG_2000, 12)
    plain = encapsulated_file([frame], JPEG_2000_LOSSY, GRAY, BitsStored=12)
    padded = encapsulated_file([frame], JPEG_2000_LOSSY, GRAY, BitsStored=12, PixelPaddingValue=value)
    differs = np.abs(decode(padded) - decode(plain)) > 8
    np.testing.assert_array_equal(differs, (value == GRAY) & differs)


@pytest.mark.parametrize(
    ("values", "ends", "padding"),
    [
        (GRAY, (4000, 65535), GRAY >= 4000),
        (GRAY, (65535, 4000), GRAY >= 4000),
        (SIGNED, (-32768, -1500), SIGNED <= -1500),
        (SIGNED, (1500, 32767), SIGNED >= 1500),
        (GRAY, (0, 65535), GRAY > 4095),
        (GRAY, (5000, 65535), GRAY > 4095),
    ],
)
def test_of_a_range_of_padding_the_values_count_that_pixels_can_have(
    values: npt.NDArray[Any], ends: tuple[int, int], padding: npt.NDArray[np.bool_]
) -> None:
    window = WINDOW if values is GRAY else SIGNED_WINDOW
    instance = dicom_dataset(values, BitsStored=12, PhotometricInterpretation="MONOCHROME1", **window)
    for keyword, value in zip(("PixelPaddingValue", "PixelPaddingRangeLimit"), ends, strict=True):
        instance.add_new(keyword, "SS" if values is SIGNED else "US", value)
    np.testing.assert_array_equal(decode(to_bytes(instance)), np.where(padding, 0, 255 - PLAIN))


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", np.float32), ("DoubleFloatPixelData", np.float64)])
@pytest.mark.parametrize("limit", [None, -9000.0])
def test_floating_point_padding_takes_no_part(keyword: str, dtype: type, limit: float | None) -> None:
    kind = keyword.removesuffix("Data")

    def float_file(values: npt.NDArray[Any], **described: Any) -> bytes:  # noqa: ANN401 - any attribute
        instance = dicom_dataset(GRAY[: len(values)], **described)
        for unused in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(instance, unused)
        instance.BitsAllocated = 8 * np.dtype(dtype).itemsize
        setattr(instance, keyword, values.astype(dtype).tobytes())
        return to_bytes(instance)

    values = GRAY.astype(dtype) / 1000
    padded = values.copy()
    padded[:10] = -9999.0 if limit is None else -9500.0
    described: dict[str, Any] = {f"{kind}PaddingValue": -9999.0} | (
        {} if limit is None else {f"{kind}PaddingRangeLimit": limit}
    )
    actual = decode(float_file(padded, **described))
    assert set(actual[:10].flat) == {0}
    np.testing.assert_array_equal(actual[10:], decode(float_file(values[10:])))


# Palettes


def palette(data: npt.NDArray[np.uint16], *, bits: int, is_big_endian: bool = False) -> dict[str, Any]:
    described: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, entries in zip(("Red", "Green", "Blue"), data, strict=True):
        described[f"{name}PaletteColorLookupTableDescriptor"] = [data.shape[1], 0, bits]
        described[f"{name}PaletteColorLookupTableData"] = entries.astype(">u2" if is_big_endian else "<u2").tobytes()
    return described


PALETTE = np.random.default_rng(5).integers(0, 256, (3, 256), dtype=np.uint16)
PALETTE[:, 0] = 255


@pytest.mark.parametrize(("bits", "factor"), [(8, 1), (8, 256), (8, 257), (16, 1), (16, 257)])
@pytest.mark.parametrize("make", [dicom_file, big_endian_file], ids=["little", "big"])
def test_palette_words_are_read_whatever_their_descriptor_says(
    make: Callable[..., bytes], bits: int, factor: int
) -> None:
    data = make(GRAY_8, **palette(PALETTE * factor, bits=bits, is_big_endian=make is big_endian_file))
    np.testing.assert_array_equal(decode(data), PALETTE.T[GRAY_8])


@pytest.mark.parametrize(("used", "shown"), [(10, 10), (12, 12), (13, 16)])
def test_a_palette_of_fewer_bits_than_declared_is_not_black(used: int, shown: int) -> None:
    entries = np.linspace(0, (1 << used) - 1, 3 * 256).astype(np.uint16).reshape(3, 256)
    expected = np.round(entries.T[GRAY_8] * (255 / ((1 << shown) - 1)))
    np.testing.assert_array_equal(decode(dicom_file(GRAY_8, **palette(entries, bits=16))), expected)


@pytest.mark.parametrize("color", ["Red", "Green", "Blue"])
@pytest.mark.parametrize("data", [b"", b"12345678"], ids=["empty", "short"])
def test_a_palette_that_is_not_what_its_descriptor_says_is_named(color: str, data: bytes) -> None:
    keyword = f"{color}PaletteColorLookupTableData"
    with pytest.raises(InvalidImageError) as caught:
        decode(dicom_file(GRAY_8, **(palette(PALETTE, bits=16) | {keyword: data})))
    assert caught.value.metadata == {"attribute": keyword}


def test_an_empty_descriptor_of_a_palette_is_named() -> None:
    keyword = "RedPaletteColorLookupTableDescriptor"
    with pytest.raises(InvalidImageError, match=keyword):
        decode(dicom_file(GRAY_8, **(palette(PALETTE, bits=16) | {keyword: None})))


def test_a_palette_of_bytes_may_have_more_than_256_entries() -> None:
    entries = np.random.default_rng(6).integers(0, 256, (3, 4096), dtype=np.uint16)
    described = palette(entries, bits=8)
    for name, channel in zip(("Red", "Green", "Blue"), entries, strict=True):
        described[f"{name}PaletteColorLookupTableData"] = channel.astype(np.uint8).tobytes()
    np.testing.assert_array_equal(decode(dicom_file(GRAY, BitsStored=12, **described)), entries.T[GRAY])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("make", [dicom_file, big_endian_file], ids=["little", "big"])
def test_segmented_palettes_are_expanded(make: Callable[..., bytes], bits: int) -> None:
    top = 255 if bits == 8 else 65535
    codes = [0, 2, 0, top // 5, 1, 100, top]  # two entries, then 100 on a line
    indirect_at = 4 if bits == 8 else 8  # in bytes: the line, from the last value on
    codes += [0, 1, 0, 2, 1, *([indirect_at, 0, 0, 0] if bits == 8 else [indirect_at, 0])]
    expected = [0, top // 5, *np.linspace(top // 5, top, 101)[1:], 0, *np.linspace(0, top, 101)[1:]]
    words = np.array(codes + [0] * (len(codes) % 2), np.uint8).view("<u2") if bits == 8 else np.array(codes, "<u2")
    described: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name in ("Red", "Green", "Blue"):
        described[f"{name}PaletteColorLookupTableDescriptor"] = [len(expected), 0, bits]
        order = ">u2" if make is big_endian_file else "<u2"
        described[f"Segmented{name}PaletteColorLookupTableData"] = words.astype(order).tobytes()
    actual = decode(make(np.minimum(GRAY_8, 202), **described))[..., 1]
    assert np.abs(actual - (np.array(expected) / top * 255)[np.minimum(GRAY_8, 202)]).max() <= 0.76


# The same pixels as PNG and as DICOM


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "described",
    [{}, {"RescaleSlope": 1, "RescaleIntercept": 0}, {"RescaleSlope": 2.5, "RescaleIntercept": -100}],
    ids=["plain", "identity", "rescaled"],
)
def test_8_bit_pixels_give_the_same_input_as_png_and_as_dicom_without_a_window(
    photometric: str, described: dict[str, Any]
) -> None:
    pixels = disc(np.uint8, 120)  # does not use its full range
    stored = 255 - pixels if photometric == "MONOCHROME1" else pixels
    dicom = dicom_file(stored, PhotometricInterpretation=photometric, **described)
    as_dicom = decode_image(EncodedImage(dicom), EFFICIENTNET_LITE, DecodeLimits())
    as_png = decode_image(EncodedImage(pillow(pixels, "PNG")), EFFICIENTNET_LITE, DecodeLimits())
    np.testing.assert_array_equal(as_dicom.pixels, as_png.pixels)
    assert as_dicom.notes == ("no usable window: full range of 8 bits",)


@pytest.mark.parametrize("syntax", [JPEG_LS, JPEG_2000, RLE])
def test_compression_does_not_change_the_display_rule(syntax: str) -> None:
    pixels = disc(np.uint8, 120)
    np.testing.assert_array_equal(decode(compressed_file(pixels, syntax)), pixels)


def test_gray_of_fewer_bits_is_shown_over_the_range_of_its_bits() -> None:
    pixels = (disc(np.uint8, 120) // 16).astype(np.uint16)
    np.testing.assert_array_equal(decode(dicom_file(pixels, BitsStored=4)), pixels * 17)


def test_padding_is_black_where_the_full_range_is_shown() -> None:
    pixels = disc(np.uint8, 120)
    actual = decode(dicom_file(pixels, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(actual, np.where(pixels == 0, 0, 255 - pixels.astype(int)))
