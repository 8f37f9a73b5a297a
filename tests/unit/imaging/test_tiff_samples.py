"""TIFF samples of every width, order and layout against values worked out by numpy alone."""

from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

from support.tiff_files import DEFLATE, NONE, assembled, page, tiff_file
from xmirad.errors import InvalidImageError, PayloadTooLargeError
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.raster import decode_raster

Samples = npt.NDArray[Any]
ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")
TYPES = (np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.float16, np.float32, np.float64)
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1
THUMBNAIL, MASK = 1, 4
GRAY = (np.add.outer(np.arange(40), np.arange(30)) * 3).astype(np.uint8)[..., None]


def decode(data: bytes) -> tuple[Samples, tuple[str, ...]]:
    image, notes = decode_raster(data, "image/tiff", DecodeLimits())
    return np.asarray(image).astype(int), notes


def noise(dtype: type, samples: int) -> Samples:
    random = np.random.default_rng(7)
    if np.issubdtype(dtype, np.floating):
        return (random.random((37, 45, samples)) * 100 - 50).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, (37, 45, samples), dtype=dtype, endpoint=True)


def expected_levels(pixels: Samples) -> Samples:
    """Scale by the rules at the top of raster.py, slowly."""
    color = pixels.shape[2] >= 3
    used = (pixels[..., :3] if color else pixels[..., 0]).astype(np.float64)
    bits = 8 * pixels.dtype.itemsize
    levels: Samples
    if pixels.dtype.kind == "u" and (bits == 8 or (color and bits <= 32)):
        levels = np.floor(used / 2 ** (bits - 8))
    elif pixels.dtype == np.uint16:
        levels = np.round(used / 257)
    else:
        ordered = np.sort(used.ravel())
        low, high = ordered[int(0.005 * (ordered.size - 1))], ordered[round(0.995 * (ordered.size - 1))]
        levels = np.clip((used - low) / (high - low) * 255, 0, 255)
    return levels


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", TYPES)
def test_samples_are_read_whatever_their_order_layout_and_compression(dtype: type, samples: int) -> None:
    pixels = noise(dtype, samples)
    expected = expected_levels(pixels)
    extra = {338: (2,)} if samples in (2, 4) else {}
    predictor = 3 if np.issubdtype(dtype, np.floating) else 2
    for order, is_big, apart, tile, (compression, how) in product(
        ORDERS, (False, True), (False, True), (0, 16), ((NONE, 1), (DEFLATE, 1), (DEFLATE, predictor))
    ):
        data = tiff_file(
            pixels,
            order=order,
            is_big=is_big,
            are_planes_apart=apart and samples > 1,
            tile=tile,
            compression=compression,
            predictor=how,
            tags=extra,
        )
        actual, notes = decode(data)
        assert np.abs(actual - expected).max() <= 0.51, (order, is_big, apart, tile, compression, how)
        assert notes == ()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", TYPES)
def test_white_as_zero_is_inverted(dtype: type, order: Literal["<", ">"]) -> None:
    pixels = noise(dtype, 1)
    actual, _ = decode(tiff_file(pixels, order=order, photometric=WHITE_IS_ZERO))
    assert np.abs(actual - (255 - expected_levels(pixels))).max() <= 0.51


def test_unsigned_numbers_of_32_bits_rise_beyond_2_to_the_31() -> None:
    ramp = np.linspace(0, 2**32 - 1, 4096).astype(np.uint32).reshape(64, 64, 1)
    levels = decode(tiff_file(ramp))[0].ravel()
    assert (np.diff(levels) >= 0).all()
    assert (levels[0], levels[-1]) == (0, 255)


@pytest.mark.parametrize("are_planes_apart", [False, True])
def test_color_multiplied_with_its_alpha_is_divided_by_it(*, are_planes_apart: bool) -> None:
    stored = np.array([[[50, 100, 30, 128], [200, 10, 10, 100], [1, 2, 3, 255]]], np.uint8)
    actual, _ = decode(tiff_file(stored, are_planes_apart=are_planes_apart, tags={338: (1,)}))
    assert actual.tolist() == [[[99, 199, 59], [255, 25, 25], [1, 2, 3]]]


def test_gray_multiplied_with_its_alpha_counts_as_stored() -> None:
    stored = np.dstack([GRAY, np.full_like(GRAY, 100)])
    np.testing.assert_array_equal(decode(tiff_file(stored, tags={338: (1,)}))[0], GRAY[..., 0])


@pytest.mark.parametrize("bits", [4, 8])
def test_a_palette_of_8_bit_numbers_is_taken_as_one(bits: int) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (3, 1 << bits))
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    stored = indices if bits == 8 else (indices[:, 0::2] % 16 << 4 | indices[:, 1::2] % 16)
    tags = {256: (16,), 258: (bits,), 262: (3,)}
    for scale in (1, 257):
        table = tuple((colors * scale).ravel().tolist())
        actual, _ = decode(tiff_file(stored, tags=tags | {320: table}))
        np.testing.assert_array_equal(actual, colors.T[indices[..., 0].astype(int) % (1 << bits)])


@pytest.mark.parametrize("is_big", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_the_first_page_of_full_resolution_is_taken(order: Literal["<", ">"], *, is_big: bool) -> None:
    small = page(GRAY[::5, ::5], order=order, tags={254: (THUMBNAIL,)})
    old = page(GRAY[::5, ::5], order=order, tags={255: (2,)})
    mask = page(255 - GRAY, order=order, tags={254: (MASK,)})
    whole, another = page(GRAY, order=order), page(255 - GRAY, order=order, tags={254: (2,)})
    behind = "page {}; those before it are reduced copies or masks"
    several = "first of several frames"
    for pages, notes in (
        ([whole], ()),
        ([whole, small, mask], ()),
        ([small, whole], (behind.format(2),)),
        ([old, mask, whole, small], (behind.format(3),)),
        ([whole, another], (several,)),
        ([small, whole, another], (several, behind.format(2))),
    ):
        actual, found = decode(assembled(pages, order=order, is_big=is_big))
        np.testing.assert_array_equal(actual, GRAY[..., 0])
        assert found == notes


def test_a_file_of_reduced_copies_only_gives_the_first() -> None:
    small = page(GRAY[::2, ::2], tags={254: (THUMBNAIL,)})
    actual, notes = decode(assembled([small, page(GRAY[::5, ::5], tags={254: (THUMBNAIL,)})]))
    assert actual.shape == (20, 15)
    assert notes == ("first of several frames",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_samples_is_applied(orientation: int) -> None:
    pixels = noise(np.uint16, 3)
    data = tiff_file(pixels, are_planes_apart=True, tags={274: (orientation,)})
    chunky = tiff_file(pixels, tags={274: (orientation,)})
    np.testing.assert_array_equal(decode(data)[0], decode(chunky)[0])


def test_a_kind_that_is_not_read_is_named() -> None:
    complex_numbers = tiff_file(GRAY, tags={339: (5,)})
    with pytest.raises(
        InvalidImageError, match=r"SamplesPerPixel 1, BitsPerSample 8 \(complex\), .* compression none is not read"
    ):
        decode(complex_numbers)


def test_limits_hold_for_samples_too() -> None:
    huge = tiff_file(np.zeros((4, 4, 1), np.float64), tags={256: (60_000,), 257: (60_000,)})
    with pytest.raises(PayloadTooLargeError):
        decode(huge)
    with pytest.raises(InvalidImageError, match="16 times"):
        decode(tiff_file(np.zeros((1, 40, 1), np.int8)))


def test_a_page_that_follows_itself_ends_the_file() -> None:
    data = bytearray(tiff_file(GRAY))
    start = int.from_bytes(data[4:8], "little")
    following = start + 2 + 12 * int.from_bytes(data[start : start + 2], "little")
    data[following : following + 4] = data[4:8]
    actual, notes = decode(bytes(data))
    np.testing.assert_array_equal(actual, GRAY[..., 0])
    assert notes == ()


def test_the_full_picture_may_be_a_part_of_the_thumbnails_page() -> None:
    data = assembled([page(GRAY[::5, ::5], tags={254: (THUMBNAIL,), 330: (0,)}), page(GRAY)])
    start = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[start : start + 2], "little")
    following = start + 2 + 12 * entries
    part = next(at for at in range(start + 2, following, 12) if data[at : at + 2] == (330).to_bytes(2, "little"))
    changed = bytearray(data)
    changed[part + 2 : part + 12] = b"\4\0\1\0\0\0" + data[following : following + 4]
    changed[following : following + 4] = bytes(4)
    np.testing.assert_array_equal(decode(bytes(changed))[0], GRAY[..., 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("tile", [0, 16])
def test_a_compressed_tiff_that_is_cut_is_refused_as_cut(dtype: type, tile: int) -> None:
    pixels = noise(dtype, 1)
    _, blocks = page(pixels, compression=DEFLATE, tile=tile)
    lengths = (*(len(block) for block in blocks[:-1]), 1_000_000)
    data = tiff_file(pixels, compression=DEFLATE, tile=tile, tags={325 if tile else 279: lengths})
    with pytest.raises(InvalidImageError, match="the TIFF ends before its pixels do"):
        decode(data)
