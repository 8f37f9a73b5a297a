"""From a network's last activations to the embedding, place by place.

The embedding is the L2 norm of f = W mean(a) + b, or of mean(a) without a head. Averaging and the head are linear, so f
is the sum over places of (W a_ij + b) / (h w): each place's share, the bias divided among all.
"""

from typing import Protocol

import numpy as np

from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.saliency.lattice import Float64Array
from xmirad.types import Float32Array

AGREEMENT = 1e-3
"""How far a component of an embedding may be from what its activations make; CPUs differ by less than 1e-5."""


class Head(Protocol):
    """A linear layer on averaged activations."""

    @property
    def weight(self) -> Float32Array:
        """W, `[D, C]`."""
        ...

    @property
    def bias(self) -> Float32Array:
        """The bias b, `[D]`."""
        ...


def local_shares(activations: Float32Array, head: Head | None) -> Float64Array:
    """Return each place's share of the features that the embedding is made of, `[h, w, D]`; they sum to the features.

    Args:
        activations: `[C, h, w]`.
        head: The linear head, or None where the averages are the features.

    Raises:
        InvalidRequestError: If the head takes another number of channels.
    """
    channels, height, width = activations.shape
    shares = np.moveaxis(activations.astype(np.float64), 0, -1)
    if head is not None:
        if head.weight.shape != (head.bias.size, channels):
            metadata = {"channels": str(channels), "head": str(head.weight.shape[1])}
            raise InvalidRequestError("the head takes another number of channels", field="head", metadata=metadata)
        shares = shares @ head.weight.T.astype(np.float64) + head.bias
    divided: Float64Array = shares / (height * width)
    return divided


def check_agreement(features: Float64Array, embedding: Float32Array, *, name: str) -> None:
    """Check that features of any length make an embedding: activations of another image or model do not.

    Args:
        features: `[D]`.
        embedding: `[D]`, unit.
        name: What the error calls the image.

    Raises:
        EmbeddingCorruptError: If they do not.
    """
    length = float(np.linalg.norm(features))
    if features.shape == embedding.shape and np.abs(features - length * embedding).max() <= AGREEMENT * length:
        return
    raise EmbeddingCorruptError(f"the activations of the {name} do not make its embedding")
