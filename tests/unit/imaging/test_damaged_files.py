"""PNG, JPEG and other files that are cut or damaged: read whole, or refused with the reason."""

import io
import re
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from xmirad.errors import InvalidImageError
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.raster import decode_raster

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SMALL = np.random.default_rng(3).integers(0, 256, (12, 20, 3), dtype=np.uint8)
COLOR = np.asarray(Image.fromarray(SMALL).resize((160, 96), Image.Resampling.BICUBIC))
PNG_CUT = "the PNG ends before its pixels do"
JPEG_CUT = "the JPEG ends before its pixels do"
END_MARKER = b"\xff\xd9"


def encoded(kind: str, pixels: npt.NDArray[np.uint8] = COLOR, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def decode(data: bytes, kind: str) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    image, notes = decode_raster(data, f"image/{kind.lower()}", DecodeLimits())
    return np.asarray(image), notes


def chunk(kind: bytes, body: bytes, *, checksum_error: int = 0) -> bytes:
    checksum = zlib.crc32(kind + body) ^ checksum_error
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(
    rows: bytes, *, size: tuple[int, int] = (64, 32), interlaced: bool = False, before: bytes = b"", after: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, interlaced)
    return SIGNATURE + chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + after


GRAY_ROWS = b"".join(bytes([0, *([200] * 64)]) for _ in range(32))
END = chunk(b"IEND", b"")


@pytest.mark.parametrize(("kind", "name"), [(b"tEXt", "tEXt"), (b"eXIf", "eXIf"), (b"prVt", "private")])
@pytest.mark.parametrize("is_before", [True, False])
def test_an_ancillary_chunk_with_a_wrong_checksum_is_left_out(kind: bytes, name: str, *, is_before: bool) -> None:
    bad = chunk(kind, b"Title\0what", checksum_error=1)
    data = png(GRAY_ROWS, before=bad) + END if is_before else png(GRAY_ROWS, after=bad) + END
    pixels, notes = decode(data, "PNG")
    assert set(pixels.flat) == {200}
    assert notes == (f"chunk {name} left out: wrong checksum",)


@pytest.mark.parametrize("kind", ["IHDR", "PLTE", "IDAT"])
def test_a_critical_chunk_with_a_wrong_checksum_refuses_the_file(kind: str) -> None:
    image = Image.fromarray(COLOR).quantize(16)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    at = data.index(kind.encode())
    length = int.from_bytes(data[at - 4 : at], "big")
    data[at + 4 + length] ^= 0x55
    with pytest.raises(InvalidImageError, match=f"^the PNG's {kind} chunk has a wrong checksum$"):
        decode(bytes(data), "PNG")


@pytest.mark.parametrize("missing", [1, 4, 8, 12, 16])
def test_a_png_that_lacks_only_its_end_is_read_whole(missing: int) -> None:
    pixels, notes = decode(encoded("PNG")[:-missing], "PNG")
    np.testing.assert_array_equal(pixels, COLOR)
    assert notes == ("the PNG has no end chunk",)


def test_a_png_whose_end_chunk_is_damaged_is_read_whole() -> None:
    pixels, notes = decode(encoded("PNG")[:-1] + b"?", "PNG")
    np.testing.assert_array_equal(pixels, COLOR)
    assert notes == ("the PNG's end chunk has a wrong checksum",)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.99])
def test_a_png_cut_within_its_pixels_is_refused(kept: float) -> None:
    data = encoded("PNG")
    with pytest.raises(InvalidImageError, match=f"^{PNG_CUT}$"):
        decode(data[: 33 + int(kept * (len(data) - 33 - 40))], "PNG")


@pytest.mark.parametrize("rows", [0, 1, 16, 31])
def test_a_png_whose_pixels_end_in_good_order_but_rows_early_is_refused(rows: int) -> None:
    with pytest.raises(InvalidImageError, match=f"^{PNG_CUT}$"):
        decode(png(GRAY_ROWS[: rows * 65]) + END, "PNG")


def test_an_interlaced_png_whose_last_pass_is_missing_is_refused() -> None:
    passes = [(8, 4), (8, 4), (16, 4), (16, 8), (32, 8), (32, 16), (64, 16)]
    data = [b"".join(bytes([0, *([200] * columns)]) for _ in range(rows)) for columns, rows in passes]
    pixels, notes = decode(png(b"".join(data), interlaced=True) + END, "PNG")
    assert set(pixels.flat) == {200}
    assert notes == ()
    for rows in (b"".join(data[:6]), b"".join(data)[:-65]):
        with pytest.raises(InvalidImageError, match=f"^{PNG_CUT}$"):
            decode(png(rows, interlaced=True) + END, "PNG")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("height", [1, 2, 3, 9])
def test_a_black_png_is_whole(mode: str, height: int) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (13, height)).save(buffer, "PNG")
    assert not decode(buffer.getvalue(), "PNG")[0].any()


JPEGS = {
    "baseline": {"quality": 90},
    "gray": {"pixels": COLOR[..., 0]},
    "full color": {"subsampling": 0},
    "restarts": {"restart_marker_blocks": 3},
    "progressive": {"progressive": True},
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("change", [lambda data: data[:-2], lambda data: data[:-1], lambda data: data[:-2] + bytes(9)])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read_whole(kind: str, change: Any) -> None:  # noqa: ANN401
    data = encoded("JPEG", **JPEGS[kind])  # type: ignore[arg-type]
    pixels, notes = decode(change(data), "JPEG")
    np.testing.assert_array_equal(pixels, decode(data, "JPEG")[0])
    assert notes == ("the JPEG has no end marker",)


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("lost", [4, 6, 10, 40, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("filled", [False, True])
def test_a_jpeg_cut_within_its_pixels_is_refused(kind: str, lost: float, *, filled: bool) -> None:
    data = encoded("JPEG", **JPEGS[kind])  # type: ignore[arg-type]
    count = 2 + (int(lost * len(data)) if lost < 1 else int(lost))
    with pytest.raises(InvalidImageError, match=f"^{JPEG_CUT}$"):
        decode(data[:-count] + bytes(count * filled), "JPEG")


@pytest.mark.parametrize("kind", ["baseline", "gray", "full color"])
@pytest.mark.parametrize("lost", [0.1, 0.5])
def test_a_jpeg_cut_within_its_pixels_and_closed_is_refused(kind: str, lost: float) -> None:
    data = encoded("JPEG", **JPEGS[kind])  # type: ignore[arg-type]
    with pytest.raises(InvalidImageError, match=f"^{JPEG_CUT}$"):
        decode(data[: -int(lost * len(data))] + END_MARKER, "JPEG")


def test_a_progressive_jpeg_without_its_last_scans_says_so() -> None:
    data = encoded("JPEG", progressive=True)
    last_scan = data.rindex(b"\xff\xda")
    pixels, notes = decode(data[:last_scan] + END_MARKER, "JPEG")
    assert pixels.shape == COLOR.shape
    assert notes == ("the progressive JPEG lacks scans",)
    with pytest.raises(InvalidImageError, match=JPEG_CUT):
        decode(data[:last_scan], "JPEG")


def test_a_jpeg_that_ends_in_middle_gray_is_whole() -> None:
    gray = np.full((40, 50), 128, np.uint8)
    np.testing.assert_array_equal(decode(encoded("JPEG", gray), "JPEG")[0], gray)


def test_bytes_behind_the_end_marker_do_not_matter() -> None:
    data = encoded("JPEG")
    pixels, notes = decode(data + b"more" * 100, "JPEG")
    np.testing.assert_array_equal(pixels, decode(data, "JPEG")[0])
    assert notes == ()


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "WebP", "AVIF"])
@pytest.mark.parametrize("lost", [16, 0.5])
def test_other_files_that_are_cut_say_so(kind: str, lost: float) -> None:
    data = encoded(kind.upper())
    count = int(lost * len(data)) if lost < 1 else int(lost)
    with pytest.raises(InvalidImageError, match=f"^the {re.escape(kind)} ends before its pixels do$"):
        decode(data[:-count], kind)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WebP", "AVIF"])
def test_a_damaged_file_names_its_kind(kind: str) -> None:
    data = encoded(kind.upper())
    noise = np.random.default_rng(5).bytes(len(data) - 40)
    with pytest.raises(InvalidImageError, match=rf"^(the|a) {kind}\b"):
        decode(data[:20] + noise + data[-20:], kind)
