"""Stored color values to 8 bits a channel."""

import numpy as np
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from xmirad.errors import InvalidImageError
from xmirad.imaging.dicom.frames import PixelLayout
from xmirad.imaging.media import DICOM_FIELD
from xmirad.imaging.scaling import Values, to_gray_levels
from xmirad.types import UInt8Array

_BYTE = 8
_TABLE_BYTES = 2


def palette_colors(stored: Values, instance: Dataset) -> UInt8Array:
    """Look stored values up in the palette, `[H, W]` to `[H, W, 3]`, scaled by the palette's own number of bits."""
    bits = int(instance.RedPaletteColorLookupTableDescriptor[2])
    return _eight_bit(apply_color_lut(stored, instance)[..., :3], bits)


def rgb_colors(stored: Values, layout: PixelLayout) -> UInt8Array:
    """Scale RGB values over the full range of Bits Stored.

    Raises:
        InvalidImageError: If they are signed.
    """
    if stored.dtype.kind != "u":
        raise InvalidImageError("color values must be unsigned whole numbers", field=DICOM_FIELD)
    return _eight_bit(stored, layout.bits_stored)


def _eight_bit(values: Values, bits: int) -> UInt8Array:
    if bits == _BYTE:
        return values.astype(np.uint8)
    highest = (1 << bits) - 1
    if values.dtype.itemsize > _TABLE_BYTES:
        return to_gray_levels(values, 0, highest)
    return to_gray_levels(np.arange(1 << 16), 0, highest)[values]
