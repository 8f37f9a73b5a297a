"""A mixture of Gaussians fitted to embeddings, to draw any number of vectors that are clustered like them.

A component is a k-means cluster within a class: its mean, the directions of its largest spread with their standard
deviations (truncated principal components), and one standard deviation a dimension for what these leave over. It is the
maximum-likelihood form of a mixture of probabilistic principal components (Tipping and Bishop, 1999) but for the
residual, which is diagonal here instead of isotropic, because pooled activations spread unevenly.
"""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from xmirad.types import Float32Array

IMAGES_PER_CLUSTER = 40
MOST_CLUSTERS_PER_CLASS = 8
RANK = 24
KMEANS_ROUNDS = 25


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """K components in D dimensions.

    Attributes:
        weights: Share of each, `[K]`, sum 1.
        means: `[K, D]`.
        factors: Directions times standard deviations, `[K, R, D]`; rows of zeros where a cluster is small.
        residuals: Standard deviations of what is left, `[K, D]`.
        classes: Number of each one's class, `[K]`.
        nonnegative: Whether no embedding had a negative value, as behind a rectifier.
    """

    weights: Float32Array
    means: Float32Array
    factors: Float32Array
    residuals: Float32Array
    classes: np.typing.NDArray[np.int64]
    nonnegative: bool

    @property
    def components(self) -> int:
        """Number of components."""
        return len(self.weights)

    @property
    def digest(self) -> str:
        """SHA-256 of all parameters, hexadecimal."""
        hashed = hashlib.sha256()
        for field in fields(self):
            hashed.update(np.ascontiguousarray(getattr(self, field.name)).tobytes())
        return hashed.hexdigest()

    def draw(
        self, components: np.typing.NDArray[np.int64], latent: Float32Array, generator: np.random.Generator
    ) -> Float32Array:
        """Draw vectors, not normalized.

        Args:
            components: Component of each vector, `[N]`.
            latent: Standard normal coordinates along the factors, `[N, R]`.
            generator: Where the residuals come from.

        Returns:
            `[N, D]`.
        """
        vectors: Float32Array = generator.standard_normal((len(components), self.means.shape[1]), dtype=np.float32)
        for component in np.unique(components):
            rows = np.flatnonzero(components == component)
            spread = latent[rows] @ self.factors[component]
            vectors[rows] = vectors[rows] * self.residuals[component] + spread + self.means[component]
        return np.maximum(vectors, 0, out=vectors) if self.nonnegative else vectors

    def save(self, path: Path) -> None:
        """Write all parameters."""
        named: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez(path, **named)


def load_mixture(path: Path) -> Mixture:
    """Read what `save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return Mixture(
            **{name: file[name] for name in file.files if name != "nonnegative"}, nonnegative=bool(file["nonnegative"])
        )


def fit_mixture(embeddings: Float32Array, classes: np.typing.NDArray[np.int64]) -> Mixture:
    """Fit a mixture to the embeddings of images, `[N, D]`, whose classes are `[N]`, each with at least two images."""
    groups = [
        (number, embeddings[rows])
        for number in np.unique(classes)
        for rows in _clusters(embeddings, np.flatnonzero(classes == number))
    ]
    parts = [_component(members) for _, members in groups]
    sizes = np.array([len(members) for _, members in groups], np.float32)
    return Mixture(
        weights=sizes / sizes.sum(),
        means=np.stack([members.mean(axis=0) for _, members in groups]),
        factors=np.stack([factors for factors, _ in parts]),
        residuals=np.stack([residuals for _, residuals in parts]),
        classes=np.array([number for number, _ in groups], np.int64),
        nonnegative=bool(embeddings.min() >= 0),
    )


def _component(members: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return factors `[R, D]` and residual deviations `[D]` of one cluster, `[n, D]`."""
    centered = members - members.mean(axis=0)
    degrees = max(1, len(members) - 1)
    _, singular, directions = np.linalg.svd(centered, full_matrices=False)
    rank = min(RANK, len(members) - 1)
    factors = np.zeros((RANK, members.shape[1]), np.float32)
    factors[:rank] = directions[:rank] * (singular[:rank, None] / np.sqrt(degrees))
    left = centered - centered @ directions[:rank].T @ directions[:rank]
    return factors, np.sqrt(np.square(left).sum(axis=0) / degrees).astype(np.float32)


def _clusters(embeddings: Float32Array, rows: np.typing.NDArray[np.int64]) -> list[np.typing.NDArray[np.int64]]:
    """Split the rows of one class by k-means; clusters of a single image are dropped."""
    wanted = int(np.clip(len(rows) // IMAGES_PER_CLUSTER, 1, MOST_CLUSTERS_PER_CLASS))
    points = embeddings[rows]
    centers = points[np.random.default_rng(0).choice(len(rows), wanted, replace=False)]
    nearest = np.zeros(len(rows), np.int64)
    for _ in range(KMEANS_ROUNDS):
        nearest = np.argmin(np.square(centers).sum(axis=1) - 2 * points @ centers.T, axis=1)
        centers = np.stack(
            [points[nearest == k].mean(axis=0) if (nearest == k).any() else centers[k] for k in range(wanted)]
        )
    return [rows[nearest == k] for k in range(wanted) if (nearest == k).sum() > 1]
