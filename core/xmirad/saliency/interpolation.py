"""Bilinear interpolation as matrices: one for each axis, applied from both sides."""

import numpy as np
import numpy.typing as npt

from xmirad.saliency.lattice import Float64Array
from xmirad.types import Float32Array


def cell_weights(positions: npt.ArrayLike, *, cells: int, size: int) -> Float64Array:
    """Return how much each cell of a coarse map counts at given pixels, `[P, cells]`, rows that sum to 1.

    The coarse map's cells tile the image; a cell's value lies at its center, and beyond the outermost centers it stays
    constant (torch's `bilinear` with `align_corners=False`).

    Args:
        positions: Places on one axis in pixels, `[P]`; 0 is the center of the first pixel.
        cells: Number of cells on the axis.
        size: Number of pixels on the axis.
    """
    centers = (np.asarray(positions, dtype=np.float64) + 0.5) * cells / size - 0.5
    return _hats(np.clip(centers, 0, cells - 1), cells)


def node_weights(*, nodes: int, count: int) -> Float64Array:
    """Return how much each node counts at `count` even places of which the first and last are nodes, `[count, nodes]`.

    Args:
        nodes: Number of nodes, at least 2, or `count`.
        count: Number of places; `count` - 1 is a multiple of `nodes` - 1.
    """
    return _hats(np.arange(count) * ((nodes - 1) / max(count - 1, 1)), nodes)


def enlarged(coarse: Float64Array, size: int) -> Float32Array:
    """Return a coarse map at the size of the image.

    Args:
        coarse: `[h, w]`.
        size: Width and height of the image in pixels.

    Returns:
        `[size, size]`, within the range of the coarse map.
    """
    pixels = np.arange(size)
    rows, columns = (cell_weights(pixels, cells=cells, size=size) for cells in coarse.shape)
    large: Float32Array = (rows @ coarse @ columns.T).astype(np.float32)
    return large


def _hats(places: npt.NDArray[np.floating], count: int) -> Float64Array:
    distances = np.abs(places.astype(np.float64)[:, None] - np.arange(count))
    return np.maximum(0.0, 1.0 - distances)
