"""How far a picture of points on a plane may be believed."""

import numpy as np
import numpy.typing as npt


def trustworthiness(distances: npt.ArrayLike, shown: npt.ArrayLike, *, neighbors: int = 5) -> float:
    """Return how far the nearest points of a picture are near each other in truth, 0 to 1; 1: all are.

    J. Venna and S. Kaski, "Neighborhood preservation in nonlinear projection methods" (ICANN 2001).

    Args:
        distances: `[N, N]`, the true ones.
        shown: `[N, N]`, those of the picture.
        neighbors: How many nearest points of each are looked at, at least 1 and less than half of N.

    Raises:
        ValueError: If the number of neighbors is not allowed.
    """
    true, picture = (np.array(each, dtype=np.float64) for each in (distances, shown))
    count = len(true)
    if not 1 <= neighbors < count / 2:
        raise ValueError(
            f"{neighbors} neighbors of {count} points; there must be 1 or more, and less than half as many"
        )
    for table in (true, picture):
        np.fill_diagonal(table, -np.inf)  # every point is its own nearest, at rank 0
    ranks = np.empty((count, count), dtype=np.intp)
    np.put_along_axis(ranks, np.argsort(true, axis=1, kind="stable"), np.arange(count)[None, :], axis=1)
    nearest = np.argsort(picture, axis=1, kind="stable")[:, 1 : neighbors + 1]
    excess = np.take_along_axis(ranks, nearest, axis=1) - neighbors
    worst = count * neighbors * (2 * count - 3 * neighbors - 1) / 2
    return 1.0 - float(excess[excess > 0].sum()) / worst
