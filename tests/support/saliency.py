"""Slow and obvious saliency: loops over windows, places and pixels, and small embedders that need no network."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from xmirad.saliency.lattice import WindowLattice
from xmirad.types import Float32Array

Float64Array = npt.NDArray[np.float64]
Embed = Callable[[Float32Array], Float32Array]


def random_image(seed: int, size: int) -> Float32Array:
    """Return a normalized image of blobs and grain, `[3, size, size]`."""
    generator = np.random.default_rng(seed)
    coarse = generator.standard_normal((3, 4, 4))
    blobs = np.kron(coarse, np.ones((size // 4 + 1, size // 4 + 1)))[:, :size, :size]
    return (blobs + 0.2 * generator.standard_normal((3, size, size))).astype(np.float32)


def toy_embedder(seed: int, *, size: int, embedding_size: int) -> Embed:
    """Return an embedder of one hidden layer: `[N, 3, size, size]` to unit rows `[N, embedding_size]`."""
    generator = np.random.default_rng(seed)
    first = generator.standard_normal((3 * size * size, 64)) / size
    second = generator.standard_normal((64, embedding_size))

    def embed(batch: Float32Array) -> Float32Array:
        hidden = np.maximum(0.0, batch.reshape(len(batch), -1) @ first)
        return unit(hidden @ second + 1.0)

    return embed


def region_embedder(rows: slice, columns: slice) -> Embed:
    """Return an embedder that looks at the mean colors of a grid within one region, and at nothing else."""

    def embed(batch: Float32Array) -> Float32Array:
        region = batch[:, :, rows, columns].astype(np.float64)
        half = region.shape[2] // 2
        parts = [region[:, :, :half], region[:, :, half:]]
        features = np.concatenate([part.mean(axis=(2, 3)) for part in parts], axis=1)
        return unit(np.concatenate([features, np.full((len(batch), 1), 0.1)], axis=1))

    return embed


def unit(rows: npt.ArrayLike) -> Float32Array:
    """Divide rows by their L2 norms."""
    wide = np.asarray(rows, dtype=np.float64)
    scaled: Float32Array = (wide / np.linalg.norm(wide, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


def slow_windows(lattice: WindowLattice) -> list[tuple[int, int, int, int]]:
    """Return first and one-past-last row and column of every window, row by row."""
    tops = np.arange(lattice.stride - lattice.window, lattice.size, lattice.stride).tolist()
    spans = [(max(0, top), min(lattice.size, top + lattice.window)) for top in tops]
    return [(*rows, *columns) for rows in spans for columns in spans]


def slow_masked(image: Float32Array, lattice: WindowLattice, fill: float = 0.0) -> Float32Array:
    """Return a stack of all masked copies, row by row, `[windows, 3, size, size]`."""
    copies = []
    for top, bottom, left, right in slow_windows(lattice):
        copy = image.copy()
        copy[:, top:bottom, left:right] = fill
        copies.append(copy)
    return np.stack(copies)


def slow_responses(other: Float32Array, unmasked: Float32Array, masked: Float32Array) -> Float64Array:
    """Return how much farther each masked embedding `[N, D]` is from another image, in float64, `[N]`."""
    responses = []
    for embedding in masked:
        after = np.sqrt(np.sum((other.astype(np.float64) - embedding.astype(np.float64)) ** 2))
        before = np.sqrt(np.sum((other.astype(np.float64) - unmasked.astype(np.float64)) ** 2))
        responses.append(after - before)
    return np.array(responses)


def slow_map(lattice: WindowLattice, responses: Float64Array) -> Float64Array:
    """Return the mean response of the windows over each pixel, window by window, row by row, pixel by pixel."""
    total = np.zeros((lattice.size, lattice.size))
    count = np.zeros((lattice.size, lattice.size))
    for response, (top, bottom, left, right) in zip(responses, slow_windows(lattice), strict=True):
        for row in range(top, bottom):
            for column in range(left, right):
                total[row, column] += response
                count[row, column] += 1
    return total / count
