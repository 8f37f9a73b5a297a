"""Lookup tables of modality, VOI and palette (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5).

pydicom's `apply_modality_lut` and `apply_voi_lut` are not used: they subtract the first value mapped in the type of the
pixels, which wraps around, and know only tables of 8 or 16 bits whose descriptor is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from xmirad.imaging.scaling import Values
from xmirad.types import UInt8Array

_WORD = 1 << 16
_SIGN = 1 << 15
_BYTE_BITS = 8
_WORD_BITS = 16
_DESCRIPTOR_LENGTH = 3


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table from whole numbers to whole numbers.

    Attributes:
        first: Input that the first entry stands for; lower inputs get the first entry, too high ones the last.
        bits: Bits of an output as declared.
        entries: The outputs.
    """

    first: int
    bits: int
    entries: npt.NDArray[np.uint16]

    @classmethod
    def of_item(cls, item: Dataset, *, is_signed: bool, is_little_endian: bool) -> "LookupTable":
        """Read a table from an item of a Modality or VOI LUT Sequence.

        Args:
            item: Item that has a table (`has_table`).
            is_signed: Whether its inputs may be negative: decides how the first value mapped is read where the file
                does not say, as with implicit VR.
            is_little_endian: Byte order of the file.

        Raises:
            ValueError: If descriptor and data do not fit each other.
        """
        count, first, bits = _descriptor(item.LUTDescriptor)
        is_stated = first < 0 and item.original_encoding[0] is False  # SS in so many words
        if not is_stated:
            first = signed_word(first) if is_signed else first % _WORD
        if not 1 <= bits <= _WORD_BITS:
            raise ValueError("the lookup table's entries have an impossible number of bits")
        entries = table_entries(item.LUTData, count, may_be_bytes=bits <= _BYTE_BITS, is_little_endian=is_little_endian)
        return cls(first, bits, entries)

    @property
    def highest(self) -> int:
        """Output that is shown as white: the highest of the declared bits.

        Where the entries need fewer or more bits than declared, it is the highest entry. Devices of one large vendor
        declare 16 bits for entries up to 4095; taken literally, their images are black.
        """
        highest = int(self.entries.max())
        return highest if highest and highest.bit_length() != self.bits else (1 << self.bits) - 1

    @property
    def is_as_declared(self) -> bool:
        """Whether the entries need as many bits as declared."""
        return self.highest == (1 << self.bits) - 1

    def apply(self, values: Values) -> npt.NDArray[np.float64]:
        """Return the outputs for values of any shape and type."""
        positions = np.clip(np.floor(values.astype(np.float64)) - self.first, 0, len(self.entries) - 1)
        outputs: npt.NDArray[np.float64] = self.entries[positions.astype(np.int64)].astype(np.float64)
        return outputs


def every_value(dtype: np.dtype[Any]) -> Values:
    """Return all values of a type of 8 or 16 bits in the order of their bit patterns."""
    return np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype)


def look_up(table: UInt8Array, stored: Values) -> UInt8Array:
    """Return for every stored value its row of a table that was made for `every_value`.

    Row by row of the image, which is faster than at once.
    """
    positions = stored.view(f"u{stored.dtype.itemsize}")
    result = np.empty(positions.shape + table.shape[1:], np.uint8)
    for source, target in zip(positions, result, strict=True):
        np.take(table, source, axis=0, out=target, mode="clip")
    return result


def has_table(item: Dataset) -> bool:
    """Return whether an item of a LUT sequence has both a descriptor and data."""
    return item.get("LUTDescriptor") is not None and item.get("LUTData") is not None


def read_descriptor(value: Any, *, is_signed: bool) -> tuple[int, int, int]:  # noqa: ANN401 - any attribute's value
    """Return number of entries, first value mapped and bits of an entry as a descriptor states them.

    Raises:
        ValueError: If it has not three whole numbers.
    """
    count, first, bits = _descriptor(value)
    return count, signed_word(first) if is_signed else first % _WORD, bits


def signed_word(value: int) -> int:
    """Return the 16-bit pattern of a value read as a signed number."""
    value %= _WORD
    return value - _WORD if value >= _SIGN else value


def table_entries(
    data: Any,  # noqa: ANN401 - bytes, a number or several
    count: int,
    *,
    may_be_bytes: bool,
    is_little_endian: bool,
) -> npt.NDArray[np.uint16]:
    """Return the entries of a table's data: 16-bit words, or bytes of which two share a word.

    Raises:
        ValueError: If there are fewer than `count` entries.
    """
    if isinstance(data, bytes):
        words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if is_little_endian else ">u2")
    else:
        words = np.atleast_1d(np.asarray(data, np.int64)).astype(np.uint16)
    if len(words) >= count:
        return words[:count].astype(np.uint16)
    entries = words.astype("<u2").view(np.uint8)
    if isinstance(data, bytes) and len(data) % 2:
        entries = np.frombuffer(data, np.uint8)  # an odd number of bytes are no words, so have no byte order
    if may_be_bytes and count <= len(entries) <= count + 1:
        return entries[:count].astype(np.uint16)
    raise ValueError("the lookup table has fewer entries than its descriptor says")


def _descriptor(value: Any) -> tuple[int, int, int]:  # noqa: ANN401 - any attribute's value
    numbers = [int(number) for number in value] if isinstance(value, Sequence) else []
    if len(numbers) != _DESCRIPTOR_LENGTH:
        raise ValueError("a lookup table's descriptor has three values")
    count, first, bits = numbers
    return count % _WORD or _WORD, first, bits % _WORD
