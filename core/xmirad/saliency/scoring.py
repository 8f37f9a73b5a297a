"""What hiding a window does to the distance between two images.

With unit embeddings q of one image and r of the other, and r_i of the other with window i hidden, the response is

    K_i = |q - r_i| - |q - r|        (Euclidean; positive: what was hidden made the images alike)

Dong et al. (CVPR Workshops 2019) clamp K_i at 0; here that is left to the caller. Masked embeddings come as differences
D_i = r_i - r, because |q - r_i|^2 = |q - r|^2 - 2 (q - r).D_i + |D_i|^2 has no cancellation when an image is compared
with its own masked copies, and because the differences are what the codecs keep.

Products are float32, everything after them float64: responses are within 1e-6 of a float64 oracle on the same
embeddings, and within 1e-4 of the largest. They have the same bits whatever other windows and queries are scored beside
them.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from xmirad.saliency.lattice import Float64Array
from xmirad.types import Float32Array


class Products(NamedTuple):
    """Dot products of N differences.

    Attributes:
        with_directions: With each of Q directions, `[Q, N]`.
        with_themselves: Squared lengths, `[N]`.
    """

    with_directions: Float64Array
    with_themselves: Float64Array


class MaskedEmbeddings(Protocol):
    """Embeddings of an image's masked copies, as differences from the embedding of the image itself."""

    @property
    def windows(self) -> int:
        """Number of masked copies, N."""
        ...

    @property
    def embedding_size(self) -> int:
        """Length of an embedding, D."""
        ...

    def products(self, directions: Float32Array) -> Products:
        """Return the differences' dot products with directions `[Q, D]`, and with themselves."""
        ...

    def likely_errors(self) -> Float64Array:
        """Return the standard deviation of the error that each window's distances have from coding, `[N]`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PlainDifferences:
    """Differences in float32, not coded.

    Attributes:
        values: `[N, D]`.
    """

    values: Float32Array

    @property
    def windows(self) -> int:
        """Number of masked copies, N."""
        return len(self.values)

    @property
    def embedding_size(self) -> int:
        """Length of an embedding, D."""
        return int(self.values.shape[1])

    def products(self, directions: Float32Array) -> Products:
        """Return the differences' dot products with directions `[Q, D]`, and with themselves."""
        return row_products(self.values, directions)

    def likely_errors(self) -> Float64Array:
        """Return zeros, `[N]`."""
        return np.zeros(self.windows)


def row_products(rows: Float32Array, directions: Float32Array) -> Products:
    """Return dot products of rows `[N, D]` with directions `[Q, D]` and with themselves.

    Each is computed alone (`vecdot`): the bits of a matrix product would depend on how many rows there are.
    """
    with_directions = [np.vecdot(rows, direction) for direction in directions]
    shape = (len(directions), len(rows))
    return Products(
        with_directions=np.array(with_directions, dtype=np.float64).reshape(shape),
        with_themselves=np.vecdot(rows, rows).astype(np.float64),
    )


def distance_increases(others: Float32Array, explained: Float32Array, masked: MaskedEmbeddings) -> Float64Array:
    """Return the responses K of every window with respect to each of several other images.

    Args:
        others: Embeddings of the images that stay as they are, `[Q, D]`, unit rows.
        explained: Embedding of the image whose windows are hidden, `[D]`, unit.
        masked: Its masked copies.

    Returns:
        `[Q, N]`, -2 to 2. Positive where hiding a window moves the images apart. For an image compared with itself
        these are the distances to its masked copies.
    """
    offsets = others.astype(np.float64) - explained.astype(np.float64)
    squared = np.square(offsets).sum(axis=1, keepdims=True)
    products = masked.products(offsets.astype(np.float32))
    squared_after = squared - 2 * products.with_directions + products.with_themselves
    increases: Float64Array = np.sqrt(np.maximum(squared_after, 0.0)) - np.sqrt(squared)
    return increases
