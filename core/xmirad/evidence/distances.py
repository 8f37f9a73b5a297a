"""How far a query is from everything that is known.

Metric learning draws together whatever shares a label, so that in the embedding of a trained model even a foreign image
lies near something: distances are taken in features that no label has shaped. For a model without a head on a trunk
that was not trained here they are the embedding itself, and the archive's items are what is known. For a head on such a
trunk they are the pooled features that the head begins with; the vector store does not have those of the items, so a
bounded sample of the validation images is kept beside the calibration instead, and is what is known.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.evidence.voting import Float64Array
from xmirad.types import Float32Array

NEIGHBORS = 10
IN_DISTRIBUTION_SHARE = 0.95
MAX_REFERENCE_ROWS = 512
MIN_REFERENCE_ROWS = NEIGHBORS + 1
MAX_FEATURE_SIZE = 4_096
LENGTH_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class FeatureReference:
    """Untrained features of images that the archive should know.

    Attributes:
        size: Length of a feature vector.
        rows: The vectors of 11 to 512 images, of length 1, as little-endian float16, one after the other.
    """

    size: int
    rows: bytes

    @classmethod
    def of(cls, features: Float32Array) -> "FeatureReference":
        """Keep the features of 11 to 512 images, `[N, C]`, each scaled to length 1.

        Raises:
            ValueError: If there are fewer or more.
        """
        if not MIN_REFERENCE_ROWS <= len(features) <= MAX_REFERENCE_ROWS:
            raise ValueError(f"{len(features)} images; {MIN_REFERENCE_ROWS} to {MAX_REFERENCE_ROWS} are needed")
        kept = features.astype(np.float64)
        kept /= np.linalg.norm(kept, axis=1, keepdims=True)
        return cls(features.shape[1], kept.astype("<f2").tobytes())

    @property
    def features(self) -> Float32Array:
        """The vectors, `[N, C]`, of length 1."""
        rows = np.frombuffer(self.rows, dtype="<f2").reshape(-1, self.size).astype(np.float32)
        unit: Float32Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def problem(self) -> str:
        """Say what is wrong with vectors that came from elsewhere, or return an empty string."""
        if len(self.rows) % (2 * self.size):
            return f"must be float16 vectors of {self.size} values"
        if not MIN_REFERENCE_ROWS <= len(self.rows) // (2 * self.size) <= MAX_REFERENCE_ROWS:
            return f"must be {MIN_REFERENCE_ROWS} to {MAX_REFERENCE_ROWS} vectors"
        rows = np.frombuffer(self.rows, dtype="<f2").reshape(-1, self.size).astype(np.float64)
        if not np.isfinite(rows).all() or (np.abs(np.linalg.norm(rows, axis=1) - 1) > LENGTH_TOLERANCE).any():
            return "must be vectors of length 1"
        return ""

    def distance(self, features: Float32Array) -> float:
        """Return the mean distance, 1 - cosine similarity, of an image's features `[C]` to the 10 nearest; 0 to 2."""
        feature = features / np.linalg.norm(features)
        return float(distance_to_nearest((self.features @ feature)[None])[0])

    def own_distances(self) -> Float64Array:
        """Return the mean distance of each of the images to the 10 nearest others, `[N]`."""
        unit = self.features
        scores = (unit @ unit.T).astype(np.float64)
        np.fill_diagonal(scores, -np.inf)
        return distance_to_nearest(scores)


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
