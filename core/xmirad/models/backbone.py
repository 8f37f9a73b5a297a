"""The port behind which a network runs."""

from dataclasses import dataclass
from typing import Protocol

from xmirad.types import Float32Array


@dataclass(frozen=True, slots=True)
class BackboneOutput:
    """What a network makes of a batch.

    Attributes:
        activations: Output of the last convolution, `[N, C, h, w]`.
        pooled: Averages of the activations over height and width, `[N, C]`.
    """

    activations: Float32Array
    pooled: Float32Array


class Backbone(Protocol):
    """A network up to its last convolution, running in fp32; may be called from several threads at once."""

    def forward(self, normalized: Float32Array) -> BackboneOutput:
        """Run the network once for each image.

        Args:
            normalized: Normalized images, `[N, 3, S, S]`.
        """
        ...
