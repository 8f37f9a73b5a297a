"""How masked embeddings are kept: whole numbers on one scale for each window, after a fixed rotation.

Of the embeddings of one image's masked copies only the differences from its own embedding are coded: they are small, so
the same number of bits resolves more. Every map, cold or warm, is scored from the coded form, so both have the same
bits.

| codec | bytes for N windows of D components | allowed error of a map, as a fraction of its maximum |
|---|---|---|
| INT8 | N (D + 4) | 1e-2 |
| INT16 | N (2 D + 4) | 1e-4 |
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from xmirad.errors import EmbeddingCorruptError
from xmirad.saliency.lattice import Float64Array
from xmirad.saliency.rotation import rotate, rotate_back
from xmirad.saliency.scoring import Products, row_products
from xmirad.types import Float32Array

BLOCK_ROWS = 256
_SCALE = np.dtype("<f4")


class Codec(StrEnum):
    """How many bits a component has."""

    INT8 = "int8"
    INT16 = "int16"

    @property
    def dtype(self) -> np.dtype[np.signedinteger]:
        """Type of a component, little-endian."""
        return np.dtype("<i1" if self is Codec.INT8 else "<i2")

    @property
    def largest(self) -> int:
        """Largest absolute value of a component."""
        return 127 if self is Codec.INT8 else 32_767

    @property
    def allowed_error(self) -> float:
        """Largest error that a map may have from this codec, as a fraction of the map's maximum."""
        return 1e-2 if self is Codec.INT8 else 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class CodedDifferences:
    """Differences of N masked embeddings from the embedding of the image itself, coded; `MaskedEmbeddings`.

    Attributes:
        codec: How.
        scales: What a whole step is worth, `[N]`, at least 0.
        values: Rotated differences in steps, `[N, D]`.
    """

    codec: Codec
    scales: Float32Array
    values: npt.NDArray[np.signedinteger]

    @property
    def windows(self) -> int:
        """Number of masked copies, N."""
        return len(self.values)

    @property
    def embedding_size(self) -> int:
        """Length of an embedding, D."""
        return int(self.values.shape[1])

    def products(self, directions: Float32Array) -> Products:
        """Return the differences' dot products with directions `[Q, D]`, and with themselves, without decoding."""
        rotated = rotate(directions)
        parts = [
            row_products(self.values[start : start + BLOCK_ROWS].astype(np.float32), rotated)
            for start in range(0, self.windows, BLOCK_ROWS)
        ]
        scales = self.scales.astype(np.float64)
        return Products(
            with_directions=np.concatenate([part.with_directions for part in parts], axis=1) * scales,
            with_themselves=np.concatenate([part.with_themselves for part in parts]) * scales**2,
        )

    def likely_errors(self) -> Float64Array:
        """Return the standard deviation of the error that each window's distances have from coding, `[N]`.

        Rounding is off by a uniform part of half a step in every component, and a distance feels only what of that lies
        along one direction.
        """
        likely: Float64Array = self.scales.astype(np.float64) / math.sqrt(12)
        return likely

    def error_bounds(self) -> Float64Array:
        """Return what no distance to a masked copy can be off by more than, `[N]`: half a step in every component."""
        bounds: Float64Array = self.scales.astype(np.float64) * (math.sqrt(self.embedding_size) / 2)
        return bounds

    def decode(self) -> Float32Array:
        """Return the differences, `[N, D]`, each row within its `error_bounds` of what was coded."""
        return rotate_back(self.values.astype(np.float32) * self.scales[:, None])

    def to_bytes(self) -> bytes:
        """Return all scales (little-endian float32), then all values row by row; the same bytes on every machine."""
        return self.scales.astype(_SCALE).tobytes() + self.values.astype(self.codec.dtype).tobytes()


def encode(masked: Float32Array, unmasked: Float32Array, codec: Codec) -> CodedDifferences:
    """Code the embeddings of masked copies.

    Args:
        masked: Embeddings of the masked copies, `[N, D]`, unit rows.
        unmasked: Embedding of the image itself, `[D]`. Scoring must be given the same one.
        codec: How.

    Raises:
        EmbeddingCorruptError: If an embedding is not finite.
    """
    rotated = rotate(masked - unmasked)
    if not np.isfinite(rotated).all():
        raise EmbeddingCorruptError("the embedding of a masked image is not finite")
    scales = (np.abs(rotated).max(axis=1) / np.float32(codec.largest)).astype(np.float32)
    steps = rotated / np.where(scales > 0, scales, np.float32(1))[:, None]
    values = np.clip(np.rint(steps), -codec.largest, codec.largest).astype(codec.dtype)
    return CodedDifferences(codec, scales, values)


def from_bytes(data: bytes | memoryview, codec: Codec, *, embedding_size: int) -> CodedDifferences:
    """Read what `to_bytes` wrote, without copying it.

    Raises:
        EmbeddingCorruptError: If the length does not fit, or a scale is negative or not finite.
    """
    windows, rest = divmod(len(data), _SCALE.itemsize + embedding_size * codec.dtype.itemsize)
    if rest:
        raise EmbeddingCorruptError("stored masked embeddings are of another length")
    scales = np.frombuffer(data, dtype=_SCALE, count=windows)
    if not (np.isfinite(scales) & (scales >= 0)).all():
        raise EmbeddingCorruptError("stored masked embeddings have a scale that is negative or not finite")
    values = np.frombuffer(data, dtype=codec.dtype, offset=scales.nbytes)
    return CodedDifferences(codec, scales, values.reshape(windows, embedding_size))


def joined(parts: Sequence[CodedDifferences]) -> CodedDifferences:
    """Return several parts, at least one and all of one codec, as one."""
    return CodedDifferences(
        parts[0].codec,
        np.concatenate([part.scales for part in parts]),
        np.concatenate([part.values for part in parts]),
    )
