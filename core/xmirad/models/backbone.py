"""The port behind which a network runs."""

from typing import Protocol

from xmirad.types import Float32Array


class Backbone(Protocol):
    """A network up to its last convolution, running in fp32; may be called from several threads at once."""

    @property
    def at_once(self) -> int:
        """How many images it pays to bring in one call."""
        ...

    def activations(self, normalized: Float32Array) -> Float32Array:
        """Return the output of the last convolution, `[N, C, h, w]`.

        Args:
            normalized: Normalized images, `[N, 3, S, S]`.
        """
        ...

    def pooled(self, normalized: Float32Array, *, waited_for: bool = False) -> Float32Array:
        """Return the averages of the activations over height and width, `[N, C]`.

        Args:
            normalized: Normalized images, `[N, 3, S, S]`.
            waited_for: A reader waits for it: soon is better than cheaply.
        """
        ...
