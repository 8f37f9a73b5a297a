"""WebP, HEIC and AVIF, as telephones and browsers write them."""

import io
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image

from xmirad.errors import InvalidImageError, PayloadTooLargeError
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE
from xmirad.imaging.raster import decode_raster
from xmirad.imaging.sandbox import DecoderPool
from xmirad.types import EncodedImage

pillow_heif.register_heif_opener()  # to write files by Pillow; the product does not use it

UPRIGHT = np.kron(np.array([[10, 60], [120, 250]], np.uint8), np.ones((32, 48), np.uint8))
COLOR = np.stack([UPRIGHT, UPRIGHT[::-1], 255 - UPRIGHT], axis=-1)
MEDIA_TYPES = {"WEBP": "image/webp", "HEIF": "image/heic", "AVIF": "image/avif"}
BEST: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "exact": True},
    "HEIF": {"quality": -1, "chroma": 444},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
RAMP_16 = (np.arange(96 * 128) * 5).astype(np.uint16).reshape(96, 128)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    buffer = io.BytesIO()
    image.save(buffer, kind, **BEST[kind] | options)
    return buffer.getvalue()


def decode(data: bytes, kind: str, limits: DecodeLimits | None = None) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    image, notes = decode_raster(data, MEDIA_TYPES[kind], limits or DecodeLimits())
    return np.asarray(image.convert("RGB")).astype(int), notes


@pytest.mark.parametrize("kind", MEDIA_TYPES)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_pixels_are_what_was_written_and_alpha_is_dropped(kind: str, mode: str) -> None:
    pixels = {"L": UPRIGHT, "RGB": COLOR, "RGBA": np.dstack([COLOR, np.full_like(UPRIGHT, 90)])}[mode]
    actual, notes = decode(encoded(Image.fromarray(pixels), kind), kind)
    expected = UPRIGHT[..., None] if mode == "L" else COLOR
    assert np.abs(actual - expected).max() <= 4
    assert notes == ()


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("mode", ["L;16", "RGB;16"])
def test_heic_of_more_bits_is_scaled_over_its_full_range(monkeypatch: pytest.MonkeyPatch, bits: int, mode: str) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    pixels = RAMP_16 if mode == "L;16" else np.stack([RAMP_16] * 3, axis=-1)
    buffer = io.BytesIO()
    pillow_heif.from_bytes(mode, (128, 96), pixels.tobytes()).save(buffer, quality=-1, chroma=444)
    actual, _ = decode(buffer.getvalue(), "HEIF")
    assert np.abs(actual - RAMP_16[..., None] / 257).max() <= 1.5


def turned(orientation: int) -> Image.Image:
    """Return the stored image that is upright when turned by an EXIF orientation."""
    stored = {
        1: UPRIGHT,
        2: UPRIGHT[:, ::-1],
        3: UPRIGHT[::-1, ::-1],
        4: UPRIGHT[::-1],
        5: UPRIGHT.T,
        6: UPRIGHT.T[::-1],
        7: UPRIGHT.T[::-1, ::-1],
        8: UPRIGHT.T[:, ::-1],
    }[orientation]
    return Image.fromarray(np.ascontiguousarray(stored)).convert("RGB")


@pytest.mark.parametrize("kind", MEDIA_TYPES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_stored_orientation_is_applied_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # HEIC and AVIF get it as the container's rotation and mirroring.
    actual, _ = decode(encoded(turned(orientation), kind, exif=exif.tobytes()), kind)
    assert actual.shape == (*UPRIGHT.shape, 3)
    assert np.abs(actual - UPRIGHT[..., None]).max() <= 6


def test_an_exif_orientation_beside_the_containers_own_does_not_count() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    data = encoded(turned(1), "HEIF", exif=exif.tobytes())
    upright, on_its_side = (struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) for orientation in (1, 6))
    assert upright in data
    actual, _ = decode(data.replace(upright, on_its_side), "HEIF")
    np.testing.assert_array_equal(actual[..., 0], UPRIGHT)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_the_first_of_several_frames_is_taken_and_noted(kind: str) -> None:
    data = encoded(turned(1), kind, save_all=True, append_images=[Image.fromarray(255 - COLOR)])
    actual, notes = decode(data, kind)
    assert np.abs(actual - UPRIGHT[..., None]).max() <= 6
    assert notes == ("first of several frames",)


@pytest.mark.parametrize("primary", [0, 1])
def test_the_primary_image_of_a_heic_file_is_taken_and_noted(primary: int) -> None:
    file = pillow_heif.from_pillow(Image.fromarray(COLOR if primary == 0 else 255 - COLOR))
    file.add_from_pillow(Image.fromarray(255 - COLOR if primary == 0 else COLOR))
    buffer = io.BytesIO()
    file.save(buffer, primary_index=primary, **BEST["HEIF"])
    actual, notes = decode(buffer.getvalue(), "HEIF")
    assert np.abs(actual - COLOR).max() <= 4
    assert notes == ("primary of several images",)


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_limits_hold(kind: str) -> None:
    data = encoded(Image.fromarray(COLOR), kind)
    with pytest.raises(PayloadTooLargeError, match="6143 pixels"):
        decode(data, kind, DecodeLimits(max_pixels=64 * 96 - 1))
    with pytest.raises(InvalidImageError, match=r"1\.4 times"):
        decode(data, kind, DecodeLimits(max_aspect_ratio=1.4))


def test_a_heic_that_claims_another_size_than_it_has_is_refused() -> None:
    data = encoded(Image.fromarray(COLOR), "HEIF")
    true = b"ispe" + bytes(4) + (96).to_bytes(4, "big") + (64).to_bytes(4, "big")
    huge = b"ispe" + bytes(4) + (60_000).to_bytes(4, "big") + (60_000).to_bytes(4, "big")
    assert true in data
    with pytest.raises((PayloadTooLargeError, InvalidImageError)):
        decode(data.replace(true, huge), "HEIF")


def test_heic_without_its_decoder_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(COLOR), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InvalidImageError, match="pillow-heif is absent"):
        decode(data, "HEIF")


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    started = DecoderPool(DecodeLimits(), children=1)
    started.start()
    with closing(started):
        yield started


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_a_confined_child_decodes_what_this_process_decodes(pool: DecoderPool, kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    image = EncodedImage(encoded(Image.fromarray(noise).resize((320, 240)), kind))
    expected = decode_image(image, EFFICIENTNET_LITE, DecodeLimits())
    actual = pool.decode(image, EFFICIENTNET_LITE)
    np.testing.assert_array_equal(actual.pixels, expected.pixels)
    assert actual.media_type == MEDIA_TYPES[kind]


def test_a_child_has_loaded_every_decoder_before_its_first_image(pool: DecoderPool) -> None:
    pid = pool.process_ids()[0]
    try:
        loaded = Path(f"/proc/{pid}/maps").read_text()
    except PermissionError:
        pytest.skip("only root may read it")
    for library in ("libheif", "libde265", "_webp", "_avif", "libtiff"):
        assert library in loaded
