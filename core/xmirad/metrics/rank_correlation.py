"""Rank correlation of two maps: do they put the same places first, whatever their values?"""

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return Spearman's rank correlation, -1 to 1; NaN if one of the two is the same everywhere.

    Equal values share the mean of their ranks.

    Args:
        first: Values, of any shape.
        second: As many.

    Raises:
        ValueError: If they are not as many, or none.
    """
    x, y = (np.asarray(each, dtype=np.float64).ravel() for each in (first, second))
    if x.size != y.size or x.size == 0:
        raise ValueError(f"{x.size} and {y.size} values; they must be as many, and at least one")
    ranks_x, ranks_y = _centered_ranks(x), _centered_ranks(y)
    spread = float(np.linalg.norm(ranks_x) * np.linalg.norm(ranks_y))
    return float(ranks_x @ ranks_y) / spread if spread > 0 else float("nan")


def _centered_ranks(values: Float64Array) -> Float64Array:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Float64Array = (last - (counts - 1) / 2)[places]
    return ranks - (values.size + 1) / 2
