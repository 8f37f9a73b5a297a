"""Embeddings on a plane (t-SNE), and how far the picture may be believed.

L. van der Maaten and G. Hinton, "Visualizing data using t-SNE" (JMLR, 2008), by scikit-learn: started from the first
two principal components, on one thread, so that equal embeddings give an equal picture.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.errors import InvalidRequestError
from xmirad.metrics.distances import distances_between
from xmirad.metrics.trustworthiness import trustworthiness
from xmirad.types import Float32Array

PERPLEXITY = 30.0
NEIGHBORS = 5
SMALLEST = 8
_SMALLEST_SPREAD = 1e-6
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Embeddings on a plane.

    Attributes:
        points: `[N, 2]`; axes and units mean nothing.
        distances: `[N, N]`, of the embeddings.
        perplexity: About how many neighbors each point looks at.
        neighbors: How many nearest points trustworthiness looks at.
        trustworthiness: How far points that are near each other here are so in truth, 0 to 1.
    """

    points: Float64Array
    distances: Float64Array
    perplexity: float
    neighbors: int
    trustworthiness: float


def projected(embeddings: Float32Array, *, seed: int) -> Projection:
    """Lay unit embeddings `[N, D]` on a plane.

    Raises:
        InvalidRequestError: If there are fewer than eight, or all are the same.
    """
    count = len(embeddings)
    if count < SMALLEST:
        message = f"t-SNE needs {SMALLEST} images or more; there are {count}"
        raise InvalidRequestError(message, field="path", metadata={"images": str(count), "lowest": str(SMALLEST)})
    distances = distances_between(embeddings)
    if distances.max() < _SMALLEST_SPREAD:
        raise InvalidRequestError("all embeddings are the same, so there is nothing to lay out", field="model")
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    points = _on_plane(embeddings, perplexity, seed)
    neighbors = min(NEIGHBORS, (count - 1) // 2)
    return Projection(
        points=points,
        distances=distances,
        perplexity=perplexity,
        neighbors=neighbors,
        trustworthiness=trustworthiness(distances, distances_between(points), neighbors=neighbors),
    )


def _on_plane(embeddings: Float32Array, perplexity: float, seed: int) -> Float64Array:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    layout = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed, n_jobs=1)
    with threadpool_limits(limits=1):
        return np.asarray(layout.fit_transform(np.asarray(embeddings, dtype=np.float64)), dtype=np.float64)
