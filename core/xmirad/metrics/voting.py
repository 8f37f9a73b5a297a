"""What the nearest results say of a query by plain majority."""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.intp]
NEIGHBORS = 5


def majority(kinds: IntArray, *, neighbors: int = NEIGHBORS) -> int | None:
    """Return the kind that most of the nearest results are of; of equally frequent ones that which comes first.

    Args:
        kinds: `[N]`, the kind of each result, best first.
        neighbors: How many of them vote.

    Returns:
        The kind, or None without any result.

    Raises:
        ValueError: If nobody may vote.
    """
    if neighbors < 1:
        raise ValueError(f"{neighbors} neighbors; at least 1 is needed")
    nearest = kinds[:neighbors]
    if nearest.size == 0:
        return None
    found, first, counts = np.unique(nearest, return_index=True, return_counts=True)
    best = np.lexsort((first, -counts))[0]
    return int(found[best])
