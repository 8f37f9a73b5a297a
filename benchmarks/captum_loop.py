"""Occlusion by captum itself, with a similarity as the forward function and windows of our lattice.

captum's windows never reach over a border. On an image padded by as much as our first and last windows stick out they
are ours, at every stride that is a multiple of the lattice's and no wider than a window; the forward function cuts the
padding off again.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from captum.attr import Occlusion

from benchmarks.eager_loops import EagerNetwork, Variant
from benchmarks.effort import Effort, effort_of
from xmirad.models.artifact import read_artifact
from xmirad.saliency.lattice import WindowLattice
from xmirad.types import Float32Array


class CaptumLoop:
    """Explains one image; made to live in a process of its own."""

    def __init__(self, model: Path, image: Float32Array, query: Float32Array, threads: int) -> None:
        """Load the model; `image` is normalized, `[3, S, S]`, `query` is a unit embedding, `[D]`."""
        torch.set_num_threads(threads)
        self._network = EagerNetwork(read_artifact(model))
        self._image = torch.from_numpy(image)[None]
        self._query = torch.from_numpy(query)[None]

    def explain(self, variant: Variant, every: int) -> tuple[Effort, Float32Array]:
        """Make a map of every so many windows on both axes.

        Returns:
            What it cost, with these windows' share of the unmasked forward that a whole map needs once, and each
            window's increase of distance, `[N]`, in the order of `windows_of_every`.
        """
        lattice = WindowLattice(size=self._image.shape[-1])
        before = lattice.window - lattice.stride
        side = (lattice.per_axis - 1) * lattice.stride + lattice.window
        after = side - before - lattice.size
        padded = torch.nn.functional.pad(self._image, (before, after, before, after))
        kept = slice(before, before + lattice.size)
        distances: list[torch.Tensor] = []
        forwards: list[Effort] = []

        def similarity(images: torch.Tensor) -> torch.Tensor:
            def forward() -> None:
                embedded = self._network.embed(variant, images[:, :, kept, kept])
                distances.append(torch.cdist(embedded, self._query)[:, 0])

            forwards.append(effort_of(forward, windows=lattice.windows))
            return -distances[-1]

        stride = lattice.stride * every
        with torch.no_grad():
            effort = effort_of(
                lambda: Occlusion(similarity).attribute(
                    padded,
                    sliding_window_shapes=(padded.shape[1], lattice.window, lattice.window),
                    strides=(padded.shape[1], stride, stride),
                    baselines=0,
                    perturbations_per_eval=variant.batch,
                ),
                windows=len(windows_of_every(lattice, every)),
            )
        unmasked, *masked = distances
        once = forwards[0]
        return effort.without(once).plus_share(once), (torch.cat(masked) - unmasked).numpy()


def windows_of_every(lattice: WindowLattice, every: int) -> Sequence[int]:
    """Return the numbers of every so many windows on both axes, column by column as captum goes."""
    axis = range(0, lattice.per_axis, every)
    return [row * lattice.per_axis + column for column in axis for row in axis]
