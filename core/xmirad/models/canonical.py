"""Generated images: the same bytes on every machine, because they are made by integer arithmetic only."""

import numpy as np

from xmirad.types import UInt8Array

CELLS = 8
CANONICAL_IMAGE = 0


def generated_image(number: int, size: int) -> UInt8Array:
    """Return an image of soft blobs of color with a fine grain.

    Args:
        number: Which image; every number gives another one.
        size: Width and height in pixels, a multiple of 8 or not.

    Returns:
        `[size, size, 3]`, 0 to 255.
    """
    corners = _scrambled(np.arange((CELLS + 1) ** 2 * 3, dtype=np.uint64), number).reshape(CELLS + 1, CELLS + 1, 3)
    place = np.arange(size, dtype=np.int64) * CELLS
    cell, offset = place // size, place % size
    rows = corners[cell] * (size - offset)[:, None, None] + corners[cell + 1] * offset[:, None, None]
    near, far = rows[:, cell], rows[:, cell + 1]
    blobs = (near * (size - offset)[None, :, None] + far * offset[None, :, None]) // (size * size)
    grain = _scrambled(np.arange(size * size * 3, dtype=np.uint64), number + 1).reshape(size, size, 3) // 16
    return np.clip(blobs + grain - 8, 0, 255).astype(np.uint8)


def _scrambled(
    values: np.ndarray[tuple[int, ...], np.dtype[np.uint64]], number: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return a byte for each value: the high bits of splitmix64."""
    mixed = values + np.uint64((number + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(56)).astype(np.int64)
