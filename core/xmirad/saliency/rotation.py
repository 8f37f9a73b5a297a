"""A fixed orthogonal rotation that spreads the content of a vector evenly over its components.

Signs, then a Hadamard transform in blocks. It lowers the largest component of a masked embedding's difference from 6.6
to 3.5 times its root mean square, and so halves the error of coding all components on one scale. Distances and dot
products do not change. Additions happen in a fixed order, so the bits depend neither on the batch nor on a BLAS
library.
"""

import hashlib
import math
from functools import lru_cache

import numpy as np

from xmirad.types import Float32Array

LARGEST_BLOCK = 256
ROWS_AT_ONCE = 32
"""So many of 1,280 components stay in a core's cache from the first step to the last."""
_SEED = b"xmirad rotation 1"


def rotate(vectors: Float32Array) -> Float32Array:
    """Rotate each row.

    Args:
        vectors: `[N, D]`.

    Returns:
        `[N, D]`, rows of the same length.
    """
    rotated = vectors * _signs(vectors.shape[1])
    _transform_blocks(rotated)
    return rotated


def rotate_back(vectors: Float32Array) -> Float32Array:
    """Undo `rotate`, up to rounding.

    Args:
        vectors: `[N, D]`.
    """
    restored = vectors.copy()
    _transform_blocks(restored)
    restored *= _signs(vectors.shape[1])
    return restored


def blocks(size: int) -> tuple[slice, ...]:
    """Cut `size` components into blocks of 256, and the rest into falling powers of two."""
    lengths = [LARGEST_BLOCK] * (size // LARGEST_BLOCK)
    rest = size % LARGEST_BLOCK
    lengths += [1 << bit for bit in range(rest.bit_length() - 1, -1, -1) if rest >> bit & 1]
    ends = np.cumsum(lengths, dtype=int).tolist()
    return tuple(slice(end - length, end) for length, end in zip(lengths, ends, strict=True))


def _transform_blocks(vectors: Float32Array) -> None:
    size = vectors.shape[1]
    whole = size - size % LARGEST_BLOCK
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = vectors[start : start + ROWS_AT_ONCE]
        rows[:, :whole] = _transformed(rows[:, :whole].reshape(-1, LARGEST_BLOCK)).reshape(len(rows), whole)
        for block in blocks(size)[whole // LARGEST_BLOCK :]:
            rows[:, block] = _transformed(rows[:, block])


def _transformed(rows: Float32Array) -> Float32Array:
    """Return rows times the Hadamard matrix, by sums and differences of neighbors that move apart at every step.

    After as many steps as the length has bits, all are at home again; each step is one pass over memory.
    """
    length = rows.shape[1]
    half = length // 2
    there, spare = rows.copy(), np.empty_like(rows, order="C")
    for _ in range(length.bit_length() - 1):
        first, second = there[:, 0::2], there[:, 1::2]
        np.add(first, second, out=spare[:, :half])
        np.subtract(first, second, out=spare[:, half:])
        there, spare = spare, there
    there *= np.float32(1 / math.sqrt(length))
    return there


@lru_cache(maxsize=8)
def _signs(size: int) -> Float32Array:
    """Return the signs, `[size]`, each 1 or -1; the first ones are the same for every size."""
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(_SEED).digest(-(-size // 8)), dtype=np.uint8))[:size]
    signs = (1 - 2 * bits.astype(np.int8)).astype(np.float32)
    signs.setflags(write=False)
    return signs
