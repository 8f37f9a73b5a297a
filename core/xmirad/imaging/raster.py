"""PNG, JPEG, TIFF, BMP, WebP, HEIC and AVIF to 8-bit pixels.

Rules, each of which decides pixels:
- 16-bit gray is scaled over its full range, 0 to 65535, not over what occurs in the image; 12-bit TIFF likewise.
- 32-bit and floating-point gray carries no display range and gets `scaling.percentile_range`.
- An alpha channel is dropped: the color channels count as they are stored, and nothing shines through. Only color that
  is declared as multiplied with its alpha is divided by it.
- HEIC and AVIF of 10 and 12 bits lose their lower bits.
- The stored orientation is applied once: EXIF or TIFF's; in HEIC and AVIF the container's own, never EXIF's.
  Color profiles are not applied.
- Of several frames the first is taken, of HEIC the primary one, of TIFF the first of full resolution; a note says so.
- Damaged and cut files are refused unless all pixels are there: `damaged`.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import AvifImagePlugin, ExifTags, Image, UnidentifiedImageError, WebPImagePlugin

from xmirad.errors import InvalidImageError, XmiradError
from xmirad.imaging.damaged import check_jpeg_blocks, check_png_rows, is_container_cut, mended_png, with_end_marker
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import RASTER_FIELD
from xmirad.imaging.scaling import percentile_range, thinned, to_gray_levels
from xmirad.imaging.tiff import TiffPage, choose_page, eight_bit_palette, is_tiff_cut, open_tiff, read_levels
from xmirad.types import UInt8Array

MEDIA_TYPES = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/webp": WebPImagePlugin.WebPImageFile.format,
    "image/heic": "HEIF",
    "image/heif": "HEIF",
    "image/avif": AvifImagePlugin.AvifImageFile.format,
}
"""Media types that are decoded here, and the names of their formats: Pillow's, and HEIF for libheif."""

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a thread's stack and heap count against the memory limit

_ORIENTATION = int(ExifTags.Base.Orientation)
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
_GRAY_MODES = {"1", "L", "LA", "La"}
_WIDE_MODES = {"I;16", "I;16B", "I;16L", "I;16N"}
_NAMES = {"WEBP": "WebP", "HEIF": "HEIC"}
_SEVERAL = "first of several frames"
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_raster(data: bytes, media_type: str, limits: DecodeLimits) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode a raster image.

    Returns:
        The upright image in mode `L` or `RGB`, and notes on choices made.

    Raises:
        InvalidImageError: If its sides are not allowed, or it cannot be decoded.
        PayloadTooLargeError: If it has too many pixels.
        MemoryError: If decoding takes too much memory.
    """
    kind = MEDIA_TYPES[media_type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _reasons(data, kind, limits):
            match kind:
                case "TIFF":
                    return _decode_tiff(data, limits)
                case "HEIF":
                    return _decode_heif(data, limits)
                case "PNG":
                    return _decode_png(data, limits)
                case "JPEG":
                    return _decode_jpeg(data, limits)
                case _:
                    return _decode_by_pillow(data, kind, limits)


@contextmanager
def _reasons(data: bytes, kind: str, limits: DecodeLimits) -> Iterator[None]:
    """Raise whatever decoders fail with as an error that says why, in words that hold nothing of the file."""
    try:
        yield
    except (XmiradError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise limits.too_many_pixels(field=RASTER_FIELD, found={}) from error
    except Exception as error:
        is_cut = "truncated" in str(error) or is_container_cut(data)
        reason = "ends before its pixels do" if is_cut else "is damaged, or of a variant that is not read"
        raise InvalidImageError(f"the {_NAMES.get(kind, kind)} {reason}", field=RASTER_FIELD) from error


def _decode_by_pillow(data: bytes, kind: str, limits: DecodeLimits) -> tuple[Image.Image, tuple[str, ...]]:
    image = _loaded(data, kind, limits)
    notes = (_SEVERAL,) if getattr(image, "is_animated", False) else ()
    return _upright(_eight_bit(image), image), notes


def _loaded(data: bytes, kind: str, limits: DecodeLimits) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=[kind])
    limits.check_size(*image.size, field=RASTER_FIELD)
    image.load()
    return image


def _decode_png(data: bytes, limits: DecodeLimits) -> tuple[Image.Image, tuple[str, ...]]:
    sound, notes = mended_png(data)
    image = _loaded(sound, "PNG", limits)
    check_png_rows(sound, image)
    several = (_SEVERAL,) if getattr(image, "is_animated", False) else ()
    return _upright(_eight_bit(image), image), several + notes


def _decode_jpeg(data: bytes, limits: DecodeLimits) -> tuple[Image.Image, tuple[str, ...]]:
    mended = with_end_marker(data)
    if mended is None:
        image = _loaded(data, "JPEG", limits)
        notes = check_jpeg_blocks(data, image)
    else:
        image = _loaded(mended, "JPEG", limits)
        notes = ("the JPEG has no end marker",)
    return _upright(_eight_bit(image), image), notes


def _decode_tiff(data: bytes, limits: DecodeLimits) -> tuple[Image.Image, tuple[str, ...]]:
    page = choose_page(data)
    try:
        return _decode_page(page, limits)
    except OSError as error:
        if is_tiff_cut(page):
            raise InvalidImageError("the TIFF ends before its pixels do", field=RASTER_FIELD) from error
        raise


def _decode_page(page: TiffPage, limits: DecodeLimits) -> tuple[Image.Image, tuple[str, ...]]:
    if not page.is_read_by_samples:
        try:
            image = open_tiff(page)
        except UnidentifiedImageError as error:
            if not page.has_plain_samples:
                message = f"a TIFF with {page.described} is not read"
                raise InvalidImageError(message, field=RASTER_FIELD) from error
        else:
            limits.check_size(*image.size, field=RASTER_FIELD)
            image.load()
            palette = eight_bit_palette(page)
            if palette:
                image.putpalette(palette)
            return _upright(_eight_bit(image), image), page.notes
    levels = Image.fromarray(read_levels(page, limits))
    turn = _UPRIGHT.get(page.value(_ORIENTATION, 1))
    return levels if turn is None else levels.transpose(turn), page.notes


def _decode_heif(data: bytes, limits: DecodeLimits) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode HEIC by libheif, which applies the container's rotation, mirroring and cropping."""
    try:
        import pillow_heif
    except ImportError as error:
        raise InvalidImageError("this installation reads no HEIC: pillow-heif is absent", field=RASTER_FIELD) from error
    options = pillow_heif.options
    options.DECODE_THREADS = 1
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    limits.check_size(*file.size, field=RASTER_FIELD)
    image = file.to_pillow()
    limits.check_size(*image.size, field=RASTER_FIELD)
    return _eight_bit(image), ("primary of several images",) if len(file) > 1 else ()


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits a channel, in mode `L` or `RGB`."""
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_scaled_over_full_range(image))
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        return Image.fromarray(_positive(to_gray_levels(values, *percentile_range(thinned(values))), image))
    image.info.pop("transparency", None)
    if image.mode in _GRAY_MODES:
        return image.convert("L") if image.mode != "La" else image.getchannel(0)
    if image.mode == "LAB":
        raise InvalidImageError("images in the CIELAB color space are not supported", field=RASTER_FIELD)
    return image.convert("RGBA").convert("RGB") if image.mode == "RGBa" else image.convert("RGB")


def _scaled_over_full_range(image: Image.Image) -> UInt8Array:
    highest = (1 << _tiff_tag(image, _BITS_PER_SAMPLE, 16)) - 1
    levels = to_gray_levels(np.arange(1 << 16), 0, highest)
    return _positive(levels[np.asarray(image)], image)


def _positive(levels: UInt8Array, image: Image.Image) -> UInt8Array:
    """Invert what TIFF stores with white as zero; Pillow does so itself, but up to 8 bits only."""
    return 255 - levels if _tiff_tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO else levels


def _tiff_tag(image: Image.Image, tag: int, default: int) -> int:
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0]) if isinstance(value, tuple) else int(value)


def _upright(pixels: Image.Image, image: Image.Image) -> Image.Image:
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return pixels if turn is None else pixels.transpose(turn)
