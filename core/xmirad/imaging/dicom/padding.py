"""Padding: pixels that fill the frame around the image (PS3.3 C.7.5.1.1.2).

A padding value that the pixels' type cannot hold matches nothing; of a range of values those count that it can hold.
After lossy compression padding is only near its value. Where there is no usable window, pixels near it count as padding
then, if nothing but such pixels lies between them and one of the four edges, so that dark pixels within the body stay,
and if such pixels fill a good part of the frame's border, as padding does. A window needs no such guess.
"""

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from xmirad.imaging.dicom.frames import Frame
from xmirad.imaging.dicom.lookup import signed_word

Mask = npt.NDArray[np.bool_]
_LOSSY_TOLERANCE = 0.02
"""How far lossy compression drives padding from its value, as a fraction of the frame's range of values."""
_LEAST_BORDER = 0.05
"""Part of the frame's border that padding fills at least."""
_SMEARED_PIXELS = 4
_WORD = 1 << 16
_FLOAT_KEYWORDS = {
    4: ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    8: ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
}


def padding_mask(frame: Frame, instance: Dataset, *, is_tolerant: bool) -> Mask | None:
    """Return where a frame is padding, `[H, W]`, or None if its instance declares no padding that it can hold.

    Args:
        frame: The stored values.
        instance: Its instance.
        is_tolerant: Whether pixels near the padding value may count too, if the frame is lossy.
    """
    values = frame.values
    is_float = values.dtype.kind == "f"
    ends = _float_range(frame, instance) if is_float else _whole_range(frame, instance)
    if ends is None:
        return None
    lowest, highest = ends
    mask: Mask = (values >= lowest) & (values <= highest)
    if is_tolerant and frame.is_lossy and not is_float:
        tolerance = _LOSSY_TOLERANCE * (float(values.max()) - float(values.min()))
        mask |= _reaching_an_edge((values >= lowest - tolerance) & (values <= highest + tolerance))
    return mask


def grown(mask: Mask) -> Mask:
    """Return a mask grown by 4 pixels in each direction, over what lossy compression smears along an edge."""
    for axis in (0, 1):
        count = mask.shape[axis]
        sums = np.cumsum(mask, axis=axis, dtype=np.int32)
        padded = np.insert(sums, 0, 0, axis=axis)
        last = np.minimum(np.arange(count) + _SMEARED_PIXELS + 1, count)
        first = np.maximum(np.arange(count) - _SMEARED_PIXELS, 0)
        mask = np.take(padded, last, axis=axis) > np.take(padded, first, axis=axis)
    return mask


def _whole_range(frame: Frame, instance: Dataset) -> tuple[int, int] | None:
    value, limit = instance.get("PixelPaddingValue"), instance.get("PixelPaddingRangeLimit")
    stored = _as_stored(value, frame)
    if not isinstance(limit, int):
        return None if stored is None else (stored, stored)
    stored_limit = _as_stored(limit, frame)
    if not isinstance(value, int) or (stored is None and stored_limit is None):
        return None
    ends = _nearest(value, stored, frame), _nearest(limit, stored_limit, frame)
    return None if sorted(ends) == list(frame.value_range) else (min(ends), max(ends))


def _nearest(value: int, stored: int | None, frame: Frame) -> int:
    """Return an end of a range as stored, or where no pixel can have it the nearest value that one can."""
    if stored is not None:
        return stored
    lowest, highest = frame.value_range
    return min(max(signed_word(value) if lowest < 0 else value, lowest), highest)


def _float_range(frame: Frame, instance: Dataset) -> tuple[float, float] | None:
    value, limit = (instance.get(keyword) for keyword in _FLOAT_KEYWORDS[frame.values.dtype.itemsize])
    if not isinstance(value, float):
        return None
    ends = (value, limit if isinstance(limit, float) else value)
    return min(ends), max(ends)


def _as_stored(value: object, frame: Frame) -> int | None:
    """Return a value of the header as the frame stores it, or None if no pixel can have it.

    The header holds 16 bits whose sign may have been lost, or the bits of a stored value before its sign is extended.
    """
    if not isinstance(value, int):
        return None
    lowest, highest = frame.value_range
    candidates = [value, value % _WORD]
    if lowest < 0:
        candidates = [value, signed_word(value), value - (1 << frame.bits)]
    return next((candidate for candidate in candidates if lowest <= candidate <= highest), None)


def _reaching_an_edge(mask: Mask) -> Mask:
    """Return the pixels of a mask from which a straight line within it leads left, right, up or down to an edge.

    None do if the mask fills less than a twentieth of the border.
    """
    reaching = np.zeros_like(mask)
    if np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean() < _LEAST_BORDER:
        return reaching
    for axis in (0, 1):
        reaching |= np.logical_and.accumulate(mask, axis=axis)
        reversed_mask = np.flip(mask, axis)
        reaching |= np.flip(np.logical_and.accumulate(reversed_mask, axis=axis), axis)
    return reaching
