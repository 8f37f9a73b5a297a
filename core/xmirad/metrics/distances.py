"""Distances of embeddings, or of points on a plane."""

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


def distances_between(points: npt.ArrayLike) -> Float64Array:
    """Return the Euclidean distances of points `[N, D]` from each other, `[N, N]`, exactly 0 on the diagonal."""
    table = np.asarray(points, dtype=np.float64)
    squares = (table * table).sum(axis=1)
    squared = squares[:, None] + squares - 2 * (table @ table.T)
    np.fill_diagonal(squared, 0.0)
    distances: Float64Array = np.sqrt(np.maximum(squared, 0.0))
    return distances
