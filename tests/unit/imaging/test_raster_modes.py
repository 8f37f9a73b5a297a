"""Raster images of every kind against values worked out by numpy alone."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from xmirad.errors import InvalidImageError, PayloadTooLargeError
from xmirad.imaging.decoding import decode_picture
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.raster import decode_raster
from xmirad.types import EncodedImage

RAMP_16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)
GRAY = (np.add.outer(np.arange(40), np.arange(30)) * 3).astype(np.uint8)
COLOR = np.stack([GRAY, GRAY[::-1], 255 - GRAY], axis=-1)
QUARTERS = np.array([[10, 60], [120, 250]], np.uint8)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's options
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(data: bytes, kind: str = "PNG") -> npt.NDArray[np.uint8]:
    return np.asarray(decode_raster(data, f"image/{kind.lower()}", DecodeLimits())[0])


def tiff(pixels: npt.NDArray[Any], *, order: Literal["<", ">"], photometric: int, sample_format: int = 1) -> bytes:
    """Write an uncompressed gray TIFF by hand, in a byte order and with white as zero if told so."""
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    height, width = pixels.shape
    values = {
        256: width,
        257: height,
        258: 8 * pixels.dtype.itemsize,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: height,
        279: len(data),
        339: sample_format,
    }
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in values.items())
    head = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(values)) + entries + bytes(4)
    return head + struct.pack(f"{order}I", 8 + len(data)) + data + directory


def rgb_16_png(pixels: npt.NDArray[np.uint16]) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def test_a_16_bit_png_is_scaled_over_its_full_range() -> None:
    expected = np.round(RAMP_16 / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(RAMP_16), "PNG")), expected)


def test_a_dark_16_bit_png_stays_dark() -> None:
    dark = np.full((20, 20), 4095, np.uint16)
    assert set(decode(encode(Image.fromarray(dark), "PNG")).flat) == {16}


@pytest.mark.parametrize(("order", "photometric"), [("<", 0), ("<", 1), (">", 1)])
def test_a_16_bit_tiff_is_scaled_whatever_its_byte_order_and_polarity(
    order: Literal["<", ">"], photometric: int
) -> None:
    expected = np.round(RAMP_16 / 257).astype(np.uint8)
    actual = decode(tiff(RAMP_16, order=order, photometric=photometric), "TIFF")
    np.testing.assert_array_equal(actual, expected if photometric else 255 - expected)


@pytest.mark.parametrize("photometric", [0, 1])
def test_an_8_bit_tiff_keeps_its_polarity(photometric: int) -> None:
    actual = decode(tiff(GRAY, order="<", photometric=photometric), "TIFF")
    np.testing.assert_array_equal(actual, GRAY if photometric else 255 - GRAY)


@pytest.mark.parametrize(("dtype", "sample_format"), [(np.int32, 2), (np.float32, 3)])
def test_wide_values_get_the_percentile_range(dtype: type, sample_format: int) -> None:
    values: npt.NDArray[Any] = (np.arange(10_000).reshape(100, 100) * 1000.0 - 5e6).astype(dtype)
    low, high = np.sort(values.ravel())[[49, 9949]].astype(float)
    expected = np.clip((values - low) / (high - low) * 255, 0, 255)
    actual = decode(tiff(values, order="<", photometric=1, sample_format=sample_format), "TIFF")
    assert np.abs(actual - expected).max() <= 0.51


def test_a_floating_point_image_may_hold_what_is_no_number() -> None:
    values = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    values[0, :2] = np.nan, np.inf
    actual = decode(tiff(values, order="<", photometric=1, sample_format=3), "TIFF")
    assert (actual[0, 0], actual[0, 1], actual[-1, -1]) == (0, 255, 255)


def test_16_bit_color_keeps_its_upper_byte() -> None:
    color = np.stack([RAMP_16, RAMP_16[::-1], RAMP_16 // 2], axis=-1)
    actual = decode(rgb_16_png(color)).astype(int)
    assert np.abs(actual - color / 257).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_lossless_kinds_give_what_was_written(kind: str, mode: str) -> None:
    pixels = GRAY if mode == "L" else COLOR
    np.testing.assert_array_equal(decode(encode(Image.fromarray(pixels), kind), kind), pixels)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_close_to_what_was_written(mode: str) -> None:
    pixels = GRAY if mode == "L" else COLOR
    actual = decode(encode(Image.fromarray(pixels), "JPEG", quality=98, subsampling=0), "JPEG")
    assert np.abs(actual.astype(int) - pixels).max() <= 4


def test_one_bit_images_are_black_and_white() -> None:
    mask = np.indices((9, 17)).sum(0) % 2 == 0
    np.testing.assert_array_equal(decode(encode(Image.fromarray(mask), "PNG")), np.where(mask, 255, 0))


@pytest.mark.parametrize("opacity", [0, 128, 255])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_is_dropped(kind: str, opacity: int) -> None:
    alpha = np.full(GRAY.shape, opacity, np.uint8)
    gray = Image.merge("LA", (Image.fromarray(GRAY), Image.fromarray(alpha)))
    color = Image.fromarray(np.dstack([COLOR, alpha]))
    np.testing.assert_array_equal(decode(encode(gray, kind), kind), GRAY)
    np.testing.assert_array_equal(decode(encode(color, kind), kind), COLOR)


def test_a_palette_is_looked_up_and_its_transparency_dropped() -> None:
    palette = np.random.default_rng(3).integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(GRAY)
    image.putpalette(palette.tobytes())
    for options in ({}, {"transparency": 7}, {"transparency": bytes(range(256))}):
        np.testing.assert_array_equal(decode(encode(image, "PNG", **options)), palette[GRAY])


def test_a_transparent_color_is_a_color() -> None:
    data = encode(Image.fromarray(COLOR), "PNG", transparency=tuple(int(value) for value in COLOR[0, 0]))
    np.testing.assert_array_equal(decode(data), COLOR)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk_becomes_rgb(kind: str) -> None:
    inks = np.zeros((64, 64, 4), np.uint8)
    inks[:32, :32, 0], inks[:32, 32:, 1], inks[32:, :32, 2], inks[32:, 32:, 3] = 255, 255, 255, 255
    actual = decode(encode(Image.fromarray(inks, mode="CMYK"), kind), kind).astype(int)
    corners = actual[[16, 16, 48, 48], [16, 48, 16, 48]]
    expected = [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]]
    assert np.abs(corners - expected).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_stored_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = np.kron(QUARTERS, np.ones((16, 24), np.uint8))
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
    actual = decode(encode(Image.fromarray(np.ascontiguousarray(stored)), kind, **options), kind)
    assert actual.shape == upright.shape
    assert np.abs(actual.astype(int) - upright).max() <= 2


def test_corrupt_exif_does_not_cost_the_image() -> None:
    data = encode(Image.fromarray(GRAY), "JPEG", exif=b"Exif\0\0" + b"\xff" * 40)
    assert decode(data, "JPEG").shape == GRAY.shape


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_first_of_several_frames_is_taken_and_noted(kind: str) -> None:
    frames = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    image, notes = decode_raster(data, f"image/{kind.lower()}", DecodeLimits())
    np.testing.assert_array_equal(np.asarray(image), GRAY)
    assert notes == ("first of several frames",)


def test_limits_on_pixels_and_aspect_hold_at_their_edges() -> None:
    limits = DecodeLimits(max_pixels=1600, max_aspect_ratio=16)
    data = {size: encode(Image.new("L", size), "PNG") for size in ((40, 40), (41, 40), (160, 10), (161, 10), (8, 129))}
    for size in ((40, 40), (160, 10)):
        assert decode_raster(data[size], "image/png", limits)[0].size == size
    with pytest.raises(PayloadTooLargeError, match="1600"):
        decode_raster(data[41, 40], "image/png", limits)
    with pytest.raises(PayloadTooLargeError):
        decode_raster(data[161, 10], "image/png", limits)
    with pytest.raises(InvalidImageError, match="16 times"):
        decode_raster(data[8, 129], "image/png", limits)


def test_cielab_is_refused() -> None:
    with pytest.raises(InvalidImageError, match="CIELAB"):
        decode(encode(Image.new("LAB", (20, 20)), "TIFF"), "TIFF")


CASES = Path(__file__).parents[2] / "data" / "images" / "raster"
LARGEST_ERRORS = {"jpeg-without-end-marker.jpg": 6}
"""What is lossy may differ; everything else is exact."""


@pytest.mark.parametrize("path", sorted(CASES.glob("*.right.png")), ids=lambda path: path.name[: -len(".right.png")])
def test_a_file_of_an_unusual_kind_gives_its_right_picture(path: Path) -> None:
    file = path.with_name(path.name.removesuffix(".right.png"))
    with Image.open(path) as right:
        expected = np.asarray(right.convert("RGB")).astype(int)
    actual = decode_picture(EncodedImage(file.read_bytes()), DecodeLimits())
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= LARGEST_ERRORS.get(file.name, 0)


def test_gray_with_premultiplied_alpha_gives_its_gray_as_stored() -> None:
    data = (CASES / "gray8-associated-alpha.tif").read_bytes()
    image, notes = decode_raster(data, "image/tiff", DecodeLimits())
    stored = np.frombuffer(data[272:], np.uint8).reshape(48, 64, 2)[..., 0]
    np.testing.assert_array_equal(np.asarray(image), stored)
    assert (image.mode, notes) == ("L", ())
