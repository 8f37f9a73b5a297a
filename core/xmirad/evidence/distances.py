"""How far a query is from everything that the archive holds."""

import numpy as np
import numpy.typing as npt

from xmirad.evidence.voting import Float64Array

NEIGHBORS = 10
IN_DISTRIBUTION_SHARE = 0.95


def distance_to_nearest(scores: npt.ArrayLike, *, neighbors: int = NEIGHBORS) -> Float64Array:
    """Return each query's mean distance, 1 - cosine similarity, to its nearest items; 0 to 2.

    The higher it is, the less the archive holds anything like the query (k-nearest-neighbor detection as in Sun et al.,
    "Out-of-distribution detection with deep nearest neighbors", ICML 2022, there with the distance of the k-th alone).

    Args:
        scores: `[Q, K]`, cosine similarities in any order; -inf for a neighbor that is not there.
        neighbors: How many of the nearest to average over, at least 1. Where fewer are there, over these.

    Returns:
        `[Q]`; NaN where none is there.

    Raises:
        ValueError: If `neighbors` is below 1, a score is NaN, or `scores` is not two-dimensional.
    """
    score = np.asarray(scores, dtype=np.float64)
    if neighbors < 1:
        raise ValueError(f"{neighbors} neighbors; at least 1 is needed")
    if score.ndim != 2 or np.isnan(score).any():
        raise ValueError("scores must be numbers in rows, one row for each query")
    nearest = -np.sort(-score, axis=1)[:, :neighbors]
    present = np.isfinite(nearest)
    counts = present.sum(axis=1)
    sums = np.where(present, 1.0 - nearest, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def distance_threshold(distances: npt.ArrayLike) -> float:
    """Return the distance beyond which a query is out of distribution: the 95th percentile of validation queries.

    Args:
        distances: `[Q]`, of `distance_to_nearest`, of validation queries that the archive should know. NaN is passed
            over.

    Raises:
        ValueError: If there is no distance.
    """
    known = np.asarray(distances, dtype=np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        raise ValueError("there is no distance to take a threshold from")
    return float(np.quantile(known, IN_DISTRIBUTION_SHARE))
