"""In which order the windows of a lattice are evaluated: coarse levels first, each part of the next.

On 24/5 and 224 pixels: every fourth window of each axis (stride 20: 169 windows), every second (stride 10: 625), the
checkerboard (1,201), all (2,401). A coarse level must reach the last window of each axis, or its preview would have
to guess beyond its edge; lattices whose number of windows does not allow that have fewer levels, down to one.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from xmirad.errors import InvalidRequestError
from xmirad.saliency.lattice import LATTICES_KEPT, WindowLattice

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Level:
    """The windows that are there when a level is complete.

    Attributes:
        step: Every how many windows of an axis one is there; 1 for the checkerboard too.
        checkerboard: True if of these only the ones whose row and column add up to an even number are there.
        windows: How many windows of the walk are there, those of the levels before included.
    """

    step: int
    checkerboard: bool
    windows: int


_SHAPES = ((4, False), (2, False), (1, True), (1, False))


@lru_cache(maxsize=LATTICES_KEPT)
def levels(lattice: WindowLattice) -> tuple[Level, ...]:
    """Return the levels, coarsest first; the last one is the whole lattice."""
    numbers = _level_numbers(lattice)
    ends = np.cumsum(np.bincount(numbers.ravel()))
    shapes = _SHAPES[len(_SHAPES) - len(ends) :]
    return tuple(Level(step, board, int(end)) for (step, board), end in zip(shapes, ends, strict=True))


@lru_cache(maxsize=LATTICES_KEPT)
def walk(lattice: WindowLattice) -> IntArray:
    """Return the numbers of all windows in the order of evaluation, `[windows]`; within a level row by row.

    The array is shared and not to be written to.
    """
    order = np.argsort(_level_numbers(lattice), axis=None, kind="stable")
    order.setflags(write=False)
    return order


def chunks(lattice: WindowLattice, largest: int) -> tuple[range, ...]:
    """Cut the walk into chunks of at most `largest` windows, none of which crosses the end of a level.

    Returns:
        Ranges of positions in the walk, in order.

    Raises:
        InvalidRequestError: If `largest` is less than 1.
    """
    if largest < 1:
        raise InvalidRequestError("a chunk must have at least 1 window", field="largest", metadata={"lowest": "1"})
    ends = [level.windows for level in levels(lattice)]
    return tuple(
        range(start, min(start + largest, end))
        for first, end in zip([0, *ends], ends, strict=False)
        for start in range(first, end, largest)
    )


def _level_numbers(lattice: WindowLattice) -> IntArray:
    """Return the level at which each window is first there, `[n, n]`, from 0."""
    count = lattice.per_axis
    rows, columns = np.indices((count, count))
    if count < 3 or count % 2 == 0:
        return np.zeros((count, count), dtype=np.int64)
    numbers = np.where((rows + columns) % 2 == 0, 1, 2)
    numbers[::2, ::2] = 0
    if count % 4 == 1:
        numbers += 1
        numbers[::4, ::4] = 0
    return numbers.astype(np.int64)
