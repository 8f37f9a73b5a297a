"""Stored gray values to gray levels: modality, then VOI, then presentation (PS3.4 N.2).

Rules where the Standard leaves a choice:
- A VOI LUT goes before a window; of several the first is taken.
- Without a usable VOI LUT or window: `scaling.percentile_range` of the values after the modality step.
- Inverted if and only if Presentation LUT Shape is INVERSE, or is absent and the image is MONOCHROME1. The inversion
  is of the gray levels, never of the stored values.
- Padding pixels take no part in percentiles and end up black.
- In an enhanced multi-frame instance, a frame's functional groups go before shared ones, and these before the instance.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.multival import MultiValue

from xmirad.imaging.dicom.lookup import LookupTable
from xmirad.imaging.scaling import Values, percentile_range, thinned, to_gray_levels
from xmirad.types import UInt8Array

Floats = npt.NDArray[np.float64]
_LARGEST_TABLE_BYTES = 2


def gray_levels(stored: Values, instance: Dataset, frame: int) -> tuple[UInt8Array, tuple[str, ...]]:
    """Return a frame as displayed, 0 black to 255 white, and notes on choices made.

    Up to 16 bits the steps are worked out once for every possible stored value, then looked up.

    Args:
        stored: Stored values `[H, W]` of the frame.
        instance: Its instance.
        frame: Its number, counted from 1.

    Raises:
        ValueError, AttributeError: If an attribute is not valid.
    """
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    keep_mask = _keep_mask(stored, instance)
    bits = stored.view(f"u{stored.dtype.itemsize}") if stored.dtype.itemsize <= _LARGEST_TABLE_BYTES else None
    values = _modality(stored if bits is None else _every_value(stored.dtype), instance, frame)
    levels, notes = _voi(values, instance, frame)
    if levels is None:
        sample = thinned(stored) if bits is None else values[thinned(bits)]
        if bits is None:
            sample = _modality(sample, instance, frame)
        kept = sample if keep_mask is None else sample[thinned(keep_mask)]
        levels = to_gray_levels(values, *percentile_range(kept))
    if _is_inverted(instance):
        levels = 255 - levels
    shown = levels if bits is None else _looked_up(levels, bits)
    if keep_mask is not None:
        shown[~keep_mask] = 0
    return shown, notes


def _every_value(dtype: np.dtype[Any]) -> Values:
    """Return all values of a type of 8 or 16 bits in the order of their bit patterns."""
    return np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype)


def _looked_up(table: UInt8Array, positions: Values) -> UInt8Array:
    """Return `table[positions]`, row by row, which is faster than at once."""
    result = np.empty(positions.shape, np.uint8)
    for source, target in zip(positions, result, strict=True):
        np.take(table, source, out=target, mode="clip")
    return result


def _modality(values: Values, instance: Dataset, frame: int) -> Floats:
    item = next(_groups(instance, frame, "PixelValueTransformationSequence"), instance)
    if item.get("ModalityLUTSequence"):
        return _table(item.ModalityLUTSequence[0], instance).apply(values)
    slope, intercept = _first_number(item, "RescaleSlope"), _first_number(item, "RescaleIntercept")
    if slope is None or intercept is None:
        return values.astype(np.float64)
    return values.astype(np.float64) * slope + intercept


def _voi(values: Floats, instance: Dataset, frame: int) -> tuple[UInt8Array | None, tuple[str, ...]]:
    """Return gray levels by VOI LUT or window, or None where there is no usable one."""
    item = next(_groups(instance, frame, "FrameVOILUTSequence"), instance)
    tables = item.get("VOILUTSequence") or []
    if tables:
        table = _table(tables[0], instance)
        return to_gray_levels(table.apply(values), 0, (1 << table.bits) - 1), (f"VOI LUT 1 of {len(tables)}",)
    center, width = _first_number(item, "WindowCenter"), _first_number(item, "WindowWidth")
    function = str(item.get("VOILUTFunction") or "LINEAR")
    if center is None or width is None or width <= 0 or (function == "LINEAR" and width < 1):
        return None, ("no usable window: percentiles",)
    count = len(item.WindowCenter) if isinstance(item.WindowCenter, MultiValue) else 1
    return _windowed(values, center, width, function), (f"window 1 of {count}",)


def _windowed(values: Floats, center: float, width: float, function: str) -> UInt8Array:
    """Apply a window (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - center) / width, -700.0, 700.0)
        return to_gray_levels(1.0 / (1.0 + np.exp(exponent)), 0.0, 1.0)
    if function == "LINEAR_EXACT":
        return to_gray_levels(values, center - width / 2, center + width / 2)
    lowest = center - 0.5 - (width - 1) / 2
    return to_gray_levels(values, lowest, lowest + width - 1)


def _is_inverted(instance: Dataset) -> bool:
    shape = str(instance.get("PresentationLUTShape") or "")
    return shape == "INVERSE" or (not shape and instance.PhotometricInterpretation == "MONOCHROME1")


def _keep_mask(stored: Values, instance: Dataset) -> npt.NDArray[np.bool_] | None:
    """Return where pixels are no padding, `[H, W]`, or None if the instance declares no padding."""
    first = instance.get("PixelPaddingValue")
    if not isinstance(first, int) or stored.dtype.kind not in "iu":
        return None
    last = instance.get("PixelPaddingRangeLimit")
    ends = [_as_stored(value, stored.dtype) for value in (first, last if isinstance(last, int) else first)]
    return (stored < min(ends)) | (stored > max(ends))


def _as_stored(value: int, dtype: np.dtype[Any]) -> int:
    """Return a value in the range of stored values: its sign may have been lost in the header."""
    bits = 8 * dtype.itemsize
    value %= 1 << bits
    return value - (1 << bits) if dtype.kind == "i" and value >= 1 << (bits - 1) else value


def _groups(instance: Dataset, frame: int, keyword: str) -> Iterator[Dataset]:
    """Yield the items of a functional group that hold for a frame: its own before a shared one."""
    own = (instance.get("PerFrameFunctionalGroupsSequence") or [])[frame - 1 : frame]
    shared = (instance.get("SharedFunctionalGroupsSequence") or [])[:1]
    for groups in (*own, *shared):
        yield from (groups.get(keyword) or [])[:1]


def _table(item: Dataset, instance: Dataset) -> LookupTable:
    is_little_endian = bool(instance.original_encoding[1])
    return LookupTable.of_item(
        item, is_signed=instance.get("PixelRepresentation") == 1, is_little_endian=is_little_endian
    )


def _first_number(item: Dataset, keyword: str) -> float | None:
    """Return an attribute's first value, or None if there is none that is a finite number."""
    value: Any = item.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
