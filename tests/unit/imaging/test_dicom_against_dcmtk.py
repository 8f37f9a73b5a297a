"""Gray levels and colors as dcmtk shows them: files of all kinds, of which some contradict their own header."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom.sequence import Sequence

from support.dicom_files import big_endian_file, dicom_dataset, dicom_file, lookup_table, to_bytes
from xmirad.imaging.dicom.decode import decode_dicom
from xmirad.imaging.limits import DecodeLimits

pytestmark = pytest.mark.skipif(
    not (shutil.which("dcmj2pnm") and shutil.which("dcml2pnm")), reason="dcmtk is not installed (Debian package dcmtk)"
)
IMPLICIT = "1.2.840.10008.1.2"
TOLERANCE = 1
RAMP = np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
GRAYS: dict[str, tuple[npt.NDArray[Any], int]] = {
    "8 bits": ((RAMP // 16).astype(np.uint8), 8),
    "8 bits signed": ((RAMP // 16).astype(int) - 128, 8),
    "10 bits": (RAMP // 4, 10),
    "12 bits": (RAMP, 12),
    "12 bits signed": (RAMP.astype(int) - 2048, 12),
    "16 bits": (RAMP * 16, 16),
    "16 bits signed": (RAMP.astype(int) * 16 - 32768, 16),
}
COLOR = np.stack([RAMP // 16, 255 - RAMP // 16, (RAMP // 16)[::-1]], axis=-1).astype(np.uint8)
COMPRESSIONS = {
    "JPEG-LS": ("dcmcjpls", "+el"),
    "JPEG-LS near lossless": ("dcmcjpls", "+en", "+md", "1"),
    "JPEG lossless": ("dcmcjpeg", "+e1"),
    "JPEG lossless, all predictors": ("dcmcjpeg", "+el", "+sv", "4"),
    "RLE": ("dcmcrle",),
}
GAMMA = (np.sqrt(np.linspace(0, 1, 4096)) * 4095).astype(np.uint16)


def stored(kind: str) -> tuple[npt.NDArray[Any], int]:
    values, bits = GRAYS[kind]
    is_signed = values.min() < 0
    return values.astype(f"{'i' if is_signed else 'u'}{1 if bits == 8 else 2}"), bits


def window_of(kind: str) -> dict[str, Any]:
    values, _ = GRAYS[kind]
    middle = (int(values.max()) + int(values.min())) // 2
    return {"WindowCenter": middle, "WindowWidth": (int(values.max()) - int(values.min())) * 3 // 4}


def decode(data: bytes) -> npt.NDArray[np.int64]:
    return np.asarray(decode_dicom(data, None, DecodeLimits())[0]).astype(np.int64)


def compressed(data: bytes, folder: Path, program: str, *options: str) -> bytes:
    """Let dcmtk compress a file."""
    source, target = folder / "source.dcm", folder / "compressed.dcm"
    source.write_bytes(data)
    subprocess.run([program, *options, source, target], check=True, capture_output=True)
    return target.read_bytes()


def shown(data: bytes, folder: Path, *options: str, program: str = "dcmj2pnm") -> npt.NDArray[np.int64]:
    """Return what dcmtk shows, in 8 bits."""
    source, picture = folder / "shown.dcm", folder / "shown.pnm"
    source.write_bytes(data)
    subprocess.run([program, *options, "+op", source, picture], check=True, capture_output=True)
    return np.asarray(Image.open(picture)).astype(np.int64)


def assert_shown_alike(data: bytes, folder: Path, *options: str, program: str = "dcmj2pnm") -> None:
    expected = shown(data, folder, *options, program=program)
    assert expected.std() > 20, "dcmtk shows next to nothing"
    assert np.abs(decode(data) - expected).max() <= TOLERANCE


@pytest.mark.parametrize("kind", GRAYS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compressed_gray_is_shown_alike(kind: str, compression: str, tmp_path: Path) -> None:
    if "near" in compression and "signed" in kind:
        pytest.skip("dcmtk does not compress signed values near lossless")
    values, bits = stored(kind)
    program, *options = COMPRESSIONS[compression]
    source = dicom_file(values, BitsStored=bits, **window_of(kind))
    data = compressed(source, tmp_path, program, *options)
    assert_shown_alike(data, tmp_path, "+Wi", "1", program="dcml2pnm" if program == "dcmcjpls" else "dcmj2pnm")


@pytest.mark.parametrize("compression", [name for name in COMPRESSIONS if "near" not in name])
def test_unused_bits_of_compressed_words_do_not_count(compression: str, tmp_path: Path) -> None:
    values, bits = stored("12 bits signed")
    garbage = (values & 0x0FFF).astype(np.int16)  # a conformant file: the sign is bit 11
    program, *options = COMPRESSIONS[compression]
    data = compressed(dicom_file(garbage, BitsStored=bits, **window_of("12 bits signed")), tmp_path, program, *options)
    expected = decode(dicom_file(values, BitsStored=bits, **window_of("12 bits signed")))
    np.testing.assert_array_equal(decode(data), expected)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compressed_color_is_shown_alike(compression: str, planar: int, tmp_path: Path) -> None:
    instance = dicom_dataset(COLOR, PlanarConfiguration=planar)
    if planar:
        instance.PixelData = COLOR.transpose(2, 0, 1).tobytes()
    program, *options = COMPRESSIONS[compression]
    data = compressed(to_bytes(instance), tmp_path, program, *options)
    assert_shown_alike(data, tmp_path, program="dcml2pnm" if program == "dcmcjpls" else "dcmj2pnm")


@pytest.mark.parametrize("color", ["+cy", "+cr"])
@pytest.mark.parametrize("process", ["+eb", "+ee"])
@pytest.mark.parametrize("planar", [0, 1])
def test_jpeg_color_is_shown_alike_whatever_planar_configuration_says(
    process: str, color: str, planar: int, tmp_path: Path
) -> None:
    data = compressed(dicom_file(COLOR), tmp_path, "dcmcjpeg", process, color, "+q", "95")
    changed = data.replace(b"\x28\x00\x06\x00US\x02\x00\x00\x00", b"\x28\x00\x06\x00US\x02\x00" + bytes([planar, 0]))
    assert np.abs(decode(changed) - shown(data, tmp_path)).max() <= 6


def test_jpeg_of_12_bits_is_shown_alike(tmp_path: Path) -> None:
    data = compressed(dicom_file(RAMP, BitsStored=12, **window_of("12 bits")), tmp_path, "dcmcjpeg", "+ee", "+q", "98")
    assert_shown_alike(data, tmp_path, "+Wi", "1")


@pytest.mark.parametrize("kind", GRAYS)
@pytest.mark.parametrize("shift", [0, 2, 4])
@pytest.mark.parametrize("make", [dicom_file, big_endian_file], ids=["little", "big"])
def test_high_bit_says_where_a_value_lies_in_its_word(
    make: Callable[..., bytes], kind: str, shift: int, tmp_path: Path
) -> None:
    values, bits = stored(kind)
    if bits + shift > 16 or values.dtype.itemsize == 1:
        values, bits = stored("10 bits" if values.min() >= 0 else "12 bits signed")
    words = ((values.astype(np.int64) << shift) & 0xFFFF).astype(np.uint16) | (0xFFFF >> (16 - shift))
    described: dict[str, Any] = {
        "BitsStored": bits,
        "HighBit": bits - 1 + shift,
        "PixelRepresentation": int(values.min() < 0),
    }
    data = make(words, **described, **window_of(kind))
    np.testing.assert_array_equal(decode(data), decode(dicom_file(values, BitsStored=bits, **window_of(kind))))
    assert np.abs(decode(data) - shown(data, tmp_path, "+Wi", "1")).max() <= TOLERANCE


@pytest.mark.parametrize("first", [0, 1000, 3000, -100])
@pytest.mark.parametrize("kind", GRAYS)
@pytest.mark.parametrize("syntax", [None, IMPLICIT], ids=["explicit", "implicit"])
def test_modality_tables_are_applied_alike(syntax: str | None, kind: str, first: int, tmp_path: Path) -> None:
    values, bits = stored(kind)
    first = max(first, 0) if values.min() >= 0 else first
    table = lookup_table(GAMMA, first=first, bits=12, is_signed=bool(values.min() < 0))
    described: dict[str, Any] = {
        "BitsStored": bits,
        "ModalityLUTSequence": table,
        "WindowCenter": 2048,
        "WindowWidth": 4096,
    }
    data = to_bytes(dicom_dataset(values, **described), syntax)
    expected = shown(data, tmp_path, "+Wi", "1")
    assert np.abs(decode(data) - expected).max() <= TOLERANCE


@pytest.mark.parametrize(
    ("slope", "intercept", "first"), [(1, 0, 0), (1, -1024, -1024), (1, -1024, 200), (2, -3000, -2500), (-1, 0, -4000)]
)
@pytest.mark.parametrize("kind", ["12 bits", "12 bits signed", "8 bits"])
@pytest.mark.parametrize("syntax", [None, IMPLICIT], ids=["explicit", "implicit"])
def test_voi_tables_after_a_rescale_are_applied_alike(
    syntax: str | None, kind: str, slope: int, intercept: int, first: int, tmp_path: Path
) -> None:
    values, bits = stored(kind)
    table = lookup_table(GAMMA, first=first, bits=12, is_signed=first < 0)
    described: dict[str, Any] = {
        "BitsStored": bits,
        "VOILUTSequence": table,
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
    }
    data = to_bytes(dicom_dataset(values, **described), syntax)
    assert np.abs(decode(data) - shown(data, tmp_path, "+Wl", "1")).max() <= TOLERANCE


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("first", [0, 40])
@pytest.mark.parametrize("is_big_endian", [False, True], ids=["little", "big"])
def test_palettes_are_applied_alike(is_big_endian: bool, first: int, bits: int, tmp_path: Path) -> None:
    palette = np.random.default_rng(5).integers(0, 256, (3, 200), dtype=np.uint16)
    palette[:, -1] = 255
    described: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, entries in zip(("Red", "Green", "Blue"), palette, strict=True):
        described[f"{name}PaletteColorLookupTableDescriptor"] = [200, first, bits]
        words = entries.astype(np.uint16) * 257 if bits == 16 else entries.astype(np.uint8).view("<u2")
        order = ">u2" if is_big_endian else "<u2"
        described[f"{name}PaletteColorLookupTableData"] = words.astype(order).tobytes()
    values = stored("8 bits")[0]
    data = (big_endian_file if is_big_endian else dicom_file)(values, **described)
    assert np.abs(decode(data) - shown(data, tmp_path)).max() <= TOLERANCE


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2", " monochrome2", "Monochrome1 "])
@pytest.mark.parametrize("shape", [None, "IDENTITY", "INVERSE"])
def test_polarities_are_shown_alike(photometric: str, shape: str | None, tmp_path: Path) -> None:
    described: dict[str, Any] = {"PhotometricInterpretation": photometric, "BitsStored": 12, **window_of("12 bits")}
    data = dicom_file(RAMP, **described, PresentationLUTShape=shape)
    assert_shown_alike(data, tmp_path, "+Wi", "1")


@pytest.mark.parametrize("steps", [{"RescaleSlope": 0, "RescaleIntercept": 7}, {"ModalityLUTSequence": Sequence()}])
def test_steps_that_are_not_valid_are_left_out_alike(steps: dict[str, Any], tmp_path: Path) -> None:
    assert_shown_alike(dicom_file(RAMP, BitsStored=12, **steps, **window_of("12 bits")), tmp_path, "+Wi", "1")
