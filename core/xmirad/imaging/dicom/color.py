"""Stored color values to 8 bits a channel."""

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.processing import convert_color_space

from xmirad.errors import InvalidImageError
from xmirad.imaging.dicom.frames import YBR, Frame
from xmirad.imaging.dicom.lookup import every_value, look_up, read_descriptor, table_entries
from xmirad.imaging.media import DICOM_FIELD
from xmirad.imaging.scaling import Values, to_gray_levels
from xmirad.types import UInt8Array

_BYTE_BITS = 8
_BITS_OF_A_SIXTEENTH = 4
_TABLE_BYTES = 2
_COLORS = ("Red", "Green", "Blue")
_DESCRIPTOR = "RedPaletteColorLookupTableDescriptor"
_DISCRETE, _LINEAR, _INDIRECT = range(3)


def palette_colors(frame: Frame, instance: Dataset) -> tuple[UInt8Array, tuple[str, ...]]:
    """Look stored values up in the palette, `[H, W]` to `[H, W, 3]`, and scale by the bits of its entries.

    pydicom's `apply_color_lut` is not used: it reads words in the byte order of this machine, and wraps around where a
    palette of bytes has more than 256 entries.

    Returns:
        The colors, and a note if the entries are not what the descriptor says (`_entry_levels`).

    Raises:
        InvalidImageError: If there is no palette, or a table has fewer entries than its descriptor says.
    """
    is_signed = frame.values.dtype.kind == "i"
    try:
        count, first, bits = read_descriptor(instance.get(_DESCRIPTOR), is_signed=is_signed)
    except (TypeError, ValueError) as error:
        raise _invalid_palette(_DESCRIPTOR) from error
    entries = np.stack([_palette_entries(instance, color, count, bits) for color in _COLORS], axis=-1)
    levels, note = _entry_levels(entries, bits)
    values = frame.values
    inputs = every_value(values.dtype) if values.dtype.itemsize <= _TABLE_BYTES else values
    colors = levels[np.clip(inputs.astype(np.int64) - first, 0, count - 1)]
    return (look_up(colors, values) if inputs is not values else colors), note


def rgb_colors(frame: Frame) -> UInt8Array:
    """Scale RGB or YBR values over the full range of their bits, `[H, W, 3]`; YBR becomes RGB.

    The sign of signed values is not looked at: colors have none.
    """
    values = frame.values.view(f"u{frame.values.dtype.itemsize}") & ((1 << frame.bits) - 1)
    levels = _eight_bit(values, frame.bits)
    return convert_color_space(levels, "YBR_FULL", "RGB") if frame.photometric in YBR else levels


def _eight_bit(values: Values, bits: int) -> UInt8Array:
    if bits == _BYTE_BITS:
        return values.astype(np.uint8)
    highest = (1 << bits) - 1
    if values.dtype.itemsize > _TABLE_BYTES:
        return to_gray_levels(values, 0, highest)
    return to_gray_levels(np.arange(1 << 16), 0, highest)[values]


def _entry_levels(entries: npt.NDArray[np.uint16], bits: int) -> tuple[UInt8Array, tuple[str, ...]]:
    """Scale the entries of all three tables to 8 bits, and note what is not as declared.

    Some devices declare 8 bits and store words with the value in the upper byte; others declare 16 and store values of
    8, 10 or 12 bits. A palette that is merely dark uses more than a sixteenth of its range.
    """
    used = int(entries.max()).bit_length()
    if bits <= _BYTE_BITS < used:
        return (entries >> _BYTE_BITS).astype(np.uint8), ("palette: upper bytes of its words",)
    if bits > _BYTE_BITS and used <= max(_BYTE_BITS, bits - _BITS_OF_A_SIXTEENTH):
        used = max(used, _BYTE_BITS)
        return to_gray_levels(entries, 0, (1 << used) - 1), (f"palette: {used} bits instead of {bits}",)
    return to_gray_levels(entries, 0, (1 << max(bits, used)) - 1), ()


def _palette_entries(instance: Dataset, color: str, count: int, bits: int) -> npt.NDArray[np.uint16]:
    """Read the table of one color, segmented or not.

    Raises:
        InvalidImageError: If there is none, or it is not what the descriptor says.
    """
    keyword = f"{color}PaletteColorLookupTableData"
    is_little_endian = bool(instance.original_encoding[1])
    data, segmented = instance.get(keyword), instance.get(f"Segmented{keyword}")
    try:
        if not data and segmented:
            words = np.frombuffer(segmented[: len(segmented) // 2 * 2], "<u2" if is_little_endian else ">u2")
            codes = words.astype("<u2").view(np.uint8) if bits <= _BYTE_BITS else words
            data = _expanded([int(code) for code in codes], count, is_bytes=bits <= _BYTE_BITS)
        return table_entries(data or b"", count, may_be_bytes=True, is_little_endian=is_little_endian)
    except (IndexError, TypeError, ValueError) as error:
        raise _invalid_palette(keyword) from error


def _invalid_palette(keyword: str) -> InvalidImageError:
    return InvalidImageError(
        f"{keyword} of the DICOM file is missing or not valid", field=DICOM_FIELD, metadata={"attribute": keyword}
    )


def _expanded(codes: list[int], count: int, *, is_bytes: bool) -> list[int]:
    """Expand the segments of a segmented palette (PS3.3 C.7.9.2) to at least `count` entries, where there are so many.

    Raises:
        ValueError: If a segment is not valid.
    """
    entries: list[int] = []
    position = 0
    while position + 2 < len(codes) and len(entries) < count:
        operation, length = codes[position : position + 2]
        position += 2
        if operation == _INDIRECT:
            width = 4 if is_bytes else 2
            places = enumerate(codes[position : position + width])
            offset = sum(code << (place * 32 // width) for place, code in places)
            position += width
            begin = offset if is_bytes else offset // 2
            for _ in range(length):
                begin = _append_segment(entries, codes, begin)
        else:
            position = _append_segment(entries, codes, position - 2)
    return entries


def _append_segment(entries: list[int], codes: list[int], position: int) -> int:
    """Append the entries of the discrete or linear segment at a position; return the position behind it."""
    operation, length = codes[position : position + 2] if position + 2 < len(codes) else (-1, 0)
    position += 2
    if operation == _DISCRETE:
        entries += codes[position : position + length]
        return position + length
    if operation != _LINEAR or not entries:
        raise ValueError("a segment of the palette is not valid")
    entries += [round(float(value)) for value in np.linspace(entries[-1], codes[position], length + 1)[1:]]
    return position + 1
