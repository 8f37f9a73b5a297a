"""Lookup tables of modality and VOI (PS3.3 C.11.1, C.11.2)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from xmirad.imaging.scaling import Values


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table from whole numbers to whole numbers.

    Attributes:
        first: Input that the first entry stands for; lower inputs get the first entry, too high ones the last.
        bits: Bits of an output.
        entries: The outputs.
    """

    first: int
    bits: int
    entries: npt.NDArray[np.uint16]

    @classmethod
    def of_item(cls, item: Dataset, *, is_signed: bool, is_little_endian: bool) -> "LookupTable":
        """Read a table from an item of a Modality or VOI LUT Sequence.

        Raises:
            ValueError: If it has fewer entries than it says.
        """
        count, first, bits = (int(value) for value in item.LUTDescriptor)
        count = count or 1 << 16
        if is_signed and first >= 1 << 15:
            first -= 1 << 16
        entries = _entries(item.LUTData, count, "<u2" if is_little_endian else ">u2")
        if len(entries) < count or not 1 <= bits <= 16:
            raise ValueError("the lookup table is not what its descriptor says")
        return cls(first, bits, entries[:count])

    def apply(self, values: Values) -> npt.NDArray[np.float64]:
        """Return the outputs for values of any shape."""
        positions = np.clip(np.floor(values) - self.first, 0, len(self.entries) - 1)
        outputs: npt.NDArray[np.float64] = self.entries[positions.astype(np.int64)].astype(np.float64)
        return outputs


def _entries(data: object, count: int, words: str) -> npt.NDArray[np.uint16]:
    if isinstance(data, bytes):
        is_bytes = len(data) < 2 * count
        return np.frombuffer(data, np.uint8 if is_bytes else words, count=-1).astype(np.uint16)
    return np.atleast_1d(np.asarray(data, dtype=np.int64)).astype(np.uint16)
