"""How like real embeddings the vectors of a mixture are, by what decides how hard nearest neighbors are to find."""

from dataclasses import dataclass

import numpy as np

from benchmarks.scale.mixture import Mixture
from xmirad.types import Float32Array

NEIGHBORS = 10


@dataclass(frozen=True, slots=True)
class Nearness:
    """What the nearest neighbors of some queries among some items are like.

    Attributes:
        nearest: Median cosine to the nearest item.
        tenth: Median cosine to the tenth nearest.
        intrinsic_dimension: Maximum-likelihood estimate from the distances to the ten nearest, median (Levina and
            Bickel, 2004).
    """

    nearest: float
    tenth: float
    intrinsic_dimension: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """The same measured on images and on drawn vectors, as many of each."""

    images: Nearness
    drawn: Nearness


def likeness(mixture: Mixture, items: Float32Array, queries: Float32Array) -> Likeness:
    """Compare images `[N, D]` and held-out images `[Q, D]`, unit rows, with as many vectors of a mixture."""
    generator = np.random.default_rng(1)
    return Likeness(
        images=nearness(items, queries),
        drawn=nearness(_drawn(mixture, len(items), generator), _drawn(mixture, len(queries), generator)),
    )


def nearness(items: Float32Array, queries: Float32Array) -> Nearness:
    """Return what the neighbors of queries `[Q, D]` among items `[N, D]` are like; unit rows."""
    cosines = -np.sort(-(queries @ items.T).astype(np.float64), axis=1)[:, :NEIGHBORS]
    distances = np.sqrt(np.maximum(2 - 2 * cosines, 1e-12))
    logs = np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)
    dimension = float(np.median(1 / np.maximum(logs, 1e-6)))
    return Nearness(float(np.median(cosines[:, 0])), float(np.median(cosines[:, -1])), dimension)


def _drawn(mixture: Mixture, count: int, generator: np.random.Generator) -> Float32Array:
    components = generator.choice(mixture.components, count, p=mixture.weights / mixture.weights.sum())
    latent = generator.standard_normal((count, mixture.factors.shape[1]), dtype=np.float32)
    vectors = mixture.draw(components, latent, generator)
    unit: Float32Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
