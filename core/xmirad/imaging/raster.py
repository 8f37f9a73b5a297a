"""PNG, JPEG, TIFF and BMP to 8-bit pixels.

Rules, each of which decides pixels:
- 16-bit gray is scaled over its full range, 0 to 65535, not over what occurs in the image; 12-bit TIFF likewise.
- 32-bit and floating-point gray carries no display range and gets `scaling.percentile_range`.
- An alpha channel is dropped: the color channels count as they are stored, and nothing shines through.
- The orientation stored in EXIF or TIFF is applied. Color profiles are not.
- Of several frames the first is taken, and a note says so.
"""

import io
import warnings

import numpy as np
from PIL import ExifTags, Image

from xmirad.errors import InvalidImageError
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import RASTER_FIELD
from xmirad.imaging.scaling import percentile_range, thinned, to_gray_levels
from xmirad.types import UInt8Array

MEDIA_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF", "image/bmp": "BMP"}
"""Media types that are decoded here, and Pillow's names of their formats."""

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
_GRAY_MODES = {"1", "L", "LA", "La"}
_WIDE_MODES = {"I;16", "I;16B", "I;16L", "I;16N"}
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
        InvalidImageError: If its sides are not allowed.
        PayloadTooLargeError: If it has too many pixels.
        Exception: Whatever Pillow raises on bytes that it cannot decode.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(data), formats=[MEDIA_TYPES[media_type]])
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise limits.too_many_pixels(field=RASTER_FIELD, found={}) from error
        limits.check_size(*image.size, field=RASTER_FIELD)
        image.load()
        notes = ("first of several frames",) if getattr(image, "is_animated", False) else ()
        return _upright(_eight_bit(image), image), notes


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits a channel, in mode `L` or `RGB`."""
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_scaled_over_full_range(image))
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        return Image.fromarray(_positive(to_gray_levels(values, *percentile_range(thinned(values))), image))
    image.info.pop("transparency", None)
    if image.mode in _GRAY_MODES:
        return image.convert("L")
    if image.mode == "LAB":
        raise InvalidImageError("images in the CIELAB color space are not supported", field=RASTER_FIELD)
    return image.convert("RGB")


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
    turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return pixels if turn is None else pixels.transpose(turn)
