"""How well classes are told apart by distances: their silhouettes."""

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


def silhouettes(distances: npt.ArrayLike, classes: npt.ArrayLike) -> Float64Array:
    """Return the silhouette of every point, `[N]`, -1 (amid another class) to 1 (amid its own).

    P. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis" (Journal of
    Computational and Applied Mathematics, 1987): (b - a) / max(a, b), with a the mean distance to the others of the own
    class and b that to the nearest other class. 0 for a class of one point.

    Args:
        distances: `[N, N]`, symmetric.
        classes: `[N]`, the number of each point's class.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    table, numbers = np.asarray(distances, dtype=np.float64), np.asarray(classes)
    present, own = np.unique(numbers, return_inverse=True)
    if len(present) < 2:
        raise ValueError("silhouettes need two classes or more")
    members = own[:, None] == np.arange(len(present))
    counts = members.sum(axis=0)
    sums = table @ members
    rows = np.arange(len(table))
    within = sums[rows, own] / np.maximum(counts[own] - 1, 1)
    means = sums / counts
    means[rows, own] = np.inf
    nearest = means.min(axis=1)
    largest = np.maximum(within, nearest)
    values: Float64Array = np.divide(nearest - within, largest, out=np.zeros_like(largest), where=largest > 0)
    values[counts[own] == 1] = 0.0
    return values
