"""Stored gray values to gray levels: modality, then VOI, then presentation (PS3.4 N.2).

Rules where the Standard leaves a choice:
- A LUT item without a table is passed over, as an empty sequence is; so is a VOI LUT with fewer entries than it says.
  Then what stands beside it holds: the next item, window or rescale. A Modality LUT that is broken with no rescale
  beside it is an error: nothing else says what the values mean.
- Numbers with a decimal comma are read. A rescale of slope 0 is not valid and not applied; one that cannot be read
  makes window and VOI LUT meaningless, so none of them is used.
- A VOI LUT goes before a window; of several LUTs or windows the first valid one is taken.
- Without a usable VOI LUT or window, unsigned gray of at most 8 bits is shown over the full range of its bits, as an
  8-bit PNG of the same pixels is; all other gray by `scaling.percentile_range` of the values after the modality step.
- Inverted if and only if Presentation LUT Shape is INVERSE, or is absent and the image is MONOCHROME1. The inversion
  is of the gray levels, never of the stored values.
- Padding pixels take no part in percentiles and end up black (`padding`).
- In an enhanced multi-frame instance, a frame's functional groups go before shared ones, and these before the instance.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.multival import MultiValue

from xmirad.errors import InvalidImageError
from xmirad.imaging.dicom.frames import Frame
from xmirad.imaging.dicom.instance import code_string
from xmirad.imaging.dicom.lookup import LookupTable, every_value, has_table, look_up
from xmirad.imaging.dicom.padding import grown, padding_mask
from xmirad.imaging.media import DICOM_FIELD
from xmirad.imaging.scaling import Values, percentile_range, thinned, to_gray_levels
from xmirad.types import UInt8Array

Floats = npt.NDArray[np.float64]
Notes = tuple[str, ...]
_LARGEST_TABLE_BYTES = 2
_BYTE_BITS = 8
_WINDOW_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True, slots=True)
class Modality:
    """The modality step of a frame.

    Attributes:
        table: Modality LUT, or None.
        slope: Rescale Slope; 1 where there is no rescale.
        intercept: Rescale Intercept; 0 where there is no rescale.
        is_known: False if the file has a rescale that cannot be read.
        notes: What was passed over.
    """

    table: LookupTable | None = None
    slope: float = 1.0
    intercept: float = 0.0
    is_known: bool = True
    notes: Notes = ()

    def apply(self, values: Values) -> Floats:
        """Return the output for stored values of any shape."""
        if self.table is not None:
            return self.table.apply(values)
        return values.astype(np.float64) * self.slope + self.intercept


def gray_levels(frame: Frame, instance: Dataset, number: int, photometric: str) -> tuple[UInt8Array, Notes]:
    """Return a frame as displayed, 0 black to 255 white, and notes on choices made.

    Up to 16 bits the steps are worked out once for every possible stored value, then looked up.

    Args:
        frame: Stored values `[H, W]`.
        instance: Their instance.
        number: The frame's number, counted from 1.
        photometric: MONOCHROME1 or MONOCHROME2.

    Raises:
        InvalidImageError: If the Modality LUT is broken.
    """
    stored = frame.values
    is_looked_up = stored.dtype.itemsize <= _LARGEST_TABLE_BYTES
    modality = _modality(frame, instance, number)
    values = modality.apply(every_value(stored.dtype) if is_looked_up else stored)
    levels, notes = _voi(values, modality, frame, instance, number)
    padding = padding_mask(frame, instance, is_tolerant=levels is None)
    if levels is None:
        lowest, highest, note = _display_range(frame, modality, padding)
        levels = to_gray_levels(values, lowest, highest)
        notes += (note,)
    if _is_inverted(instance, photometric):
        levels = 255 - levels
    shown = look_up(levels, stored) if is_looked_up else levels
    if padding is not None:
        shown[padding] = 0
    return shown, modality.notes + notes


def _modality(frame: Frame, instance: Dataset, number: int) -> Modality:
    item = next(_groups(instance, number, "PixelValueTransformationSequence"), instance)
    tables = [table for table in item.get("ModalityLUTSequence") or () if has_table(table)]
    rescale = _rescale(item)
    if not tables:
        return rescale
    table = _read_table(tables[0], instance, is_signed=frame.values.dtype.kind == "i")
    if table is not None:
        return Modality(table)
    if item.get("RescaleSlope") is None or not rescale.is_known:
        raise InvalidImageError(
            "ModalityLUTSequence of the DICOM file is not valid: its table is not what its descriptor says",
            field=DICOM_FIELD,
            metadata={"attribute": "ModalityLUTSequence"},
        )
    return Modality(
        slope=rescale.slope,
        intercept=rescale.intercept,
        notes=("Modality LUT is not valid: rescale instead", *rescale.notes),
    )


def _rescale(item: Dataset) -> Modality:
    slope, intercept = _first_number(item, "RescaleSlope"), _first_number(item, "RescaleIntercept")
    if slope is None or intercept is None:
        return Modality()
    if not math.isfinite(slope) or not math.isfinite(intercept):
        return Modality(is_known=False, notes=("rescale cannot be read",))
    if slope == 0:
        return Modality(notes=("rescale slope 0 is not valid: no rescale",))
    return Modality(slope=slope, intercept=intercept)


def _voi(
    values: Floats, modality: Modality, frame: Frame, instance: Dataset, number: int
) -> tuple[UInt8Array | None, Notes]:
    """Return gray levels by VOI LUT or window, or None where there is no usable one."""
    if not modality.is_known:
        return None, ()
    item = next(_groups(instance, number, "FrameVOILUTSequence"), instance)
    items = item.get("VOILUTSequence") or ()
    notes: Notes = ()
    for position, candidate in enumerate(items, 1):
        if has_table(candidate):
            table = _read_table(candidate, instance, is_signed=_may_be_negative(modality, frame))
            if table is not None:
                return _by_table(values, table, f"VOI LUT {position} of {len(items)}")
            notes += (f"VOI LUT {position} of {len(items)} is not valid",)
    levels, note = _by_window(values, item)
    return levels, notes + note


def _by_table(values: Floats, table: LookupTable, name: str) -> tuple[UInt8Array, Notes]:
    notes: Notes = (name,)
    if not table.is_as_declared:
        notes += (f"VOI LUT shown up to its highest entry {table.highest} instead of {table.bits} bits",)
    return to_gray_levels(table.apply(values), 0, table.highest), notes


def _by_window(values: Floats, item: Dataset) -> tuple[UInt8Array | None, Notes]:
    centers, widths = _numbers(item, "WindowCenter"), _numbers(item, "WindowWidth")
    function = code_string(item, "VOILUTFunction")
    if function not in _WINDOW_FUNCTIONS:
        function = "LINEAR"
    for position, (center, width) in enumerate(zip(centers, widths, strict=False), 1):
        is_finite = math.isfinite(center) and math.isfinite(width)
        if is_finite and width > 0 and (function != "LINEAR" or width >= 1):
            return _windowed(values, center, width, function), (f"window {position} of {len(centers)}",)
    return None, ()


def _windowed(values: Floats, center: float, width: float, function: str) -> UInt8Array:
    """Apply a window (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - center) / width, -700.0, 700.0)
        return to_gray_levels(1.0 / (1.0 + np.exp(exponent)), 0.0, 1.0)
    if function == "LINEAR_EXACT":
        return to_gray_levels(values, center - width / 2, center + width / 2)
    lowest = center - 0.5 - (width - 1) / 2
    return to_gray_levels(values, lowest, lowest + width - 1)


def _display_range(frame: Frame, modality: Modality, padding: npt.NDArray[np.bool_] | None) -> tuple[float, float, str]:
    """Return what is shown as black and as white without a usable VOI LUT or window, and a note that says so."""
    if frame.bits <= _BYTE_BITS and frame.values.dtype.kind == "u" and modality.table is None:
        ends = modality.apply(np.array(frame.value_range))
        return (
            float(ends.min()),
            float(ends.max()),
            f"no usable window: full range of {frame.bits} bit{'s' * (frame.bits > 1)}",
        )
    sample = modality.apply(thinned(frame.values))
    if padding is not None:
        sample = _without_padding(sample, thinned(padding), is_lossy=frame.is_lossy)
    lowest, highest = percentile_range(sample)
    return lowest, highest, "no usable window: percentiles"


def _without_padding(sample: Floats, padding: npt.NDArray[np.bool_], *, is_lossy: bool) -> Floats:
    """Return the pixels that are not padding.

    Of a lossy frame, pixels next to padding are left out too if they are nearer to its values than to the image's:
    compression smeared it over them.
    """
    kept: Floats = sample[~padding]
    away = sample[~grown(padding)]
    if not is_lossy or not away.size or not padding.any():
        return kept
    to_image = np.abs(kept - np.clip(kept, away.min(), away.max()))
    is_image = to_image < np.abs(kept - np.median(sample[padding]))
    return kept[is_image]


def _is_inverted(instance: Dataset, photometric: str) -> bool:
    shape = code_string(instance, "PresentationLUTShape")
    return shape == "INVERSE" or (not shape and photometric == "MONOCHROME1")


def _may_be_negative(modality: Modality, frame: Frame) -> bool:
    """Return whether the output of the modality step may be negative: then VOI tables are indexed by signed numbers."""
    if modality.table is not None:
        return False
    if frame.values.dtype.kind == "f":
        return True
    return bool(modality.apply(np.array(frame.value_range)).min() < 0)


def _groups(instance: Dataset, number: int, keyword: str) -> Iterator[Dataset]:
    """Yield the items of a functional group that hold for a frame: its own before a shared one."""
    own = (instance.get("PerFrameFunctionalGroupsSequence") or [])[number - 1 : number]
    shared = (instance.get("SharedFunctionalGroupsSequence") or [])[:1]
    for groups in (*own, *shared):
        yield from (groups.get(keyword) or [])[:1]


def _read_table(item: Dataset, instance: Dataset, *, is_signed: bool) -> LookupTable | None:
    """Read the table of a LUT item, or return None if descriptor and data do not fit each other."""
    try:
        return LookupTable.of_item(item, is_signed=is_signed, is_little_endian=bool(instance.original_encoding[1]))
    except (TypeError, ValueError):
        return None


def _first_number(item: Dataset, keyword: str) -> float | None:
    """Return an attribute's first value; None if all are empty, NaN if the first is not a number."""
    numbers = _numbers(item, keyword)
    return numbers[0] if numbers else None


def _numbers(item: Dataset, keyword: str) -> list[float]:
    """Return an attribute's values, with a decimal comma too; NaN for each that is not a number."""
    value: Any = item.get(keyword)
    values = value if isinstance(value, MultiValue) else [value]
    texts = ["" if value is None else str(value).strip(" \0") for value in values]
    return [_number(text) for text in texts] if any(texts) else []


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan
