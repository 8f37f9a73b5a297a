"""Occlusion in eager torch, from the published definition: what the product's speed is compared with.

Formula: Dong et al., "Explainability for Content-Based Image Retrieval" (CVPR Workshops 2019), as Hu, Vasu and Hoogs
compute it, "X-MIR" (WACV 2022): the image times each 0/1 mask, batches of 250 through the network, Euclidean
distances of unit embeddings, the sum of masks weighted by clamped increases. Masks are made before the clock starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.effort import Effort, effort_of
from xmirad.models.artifact import WEIGHTS, ModelArtifact, read_artifact
from xmirad.models.building.architectures import RECIPES, PooledNetwork
from xmirad.models.building.state_dicts import load_trunk
from xmirad.saliency.lattice import WindowLattice
from xmirad.types import Float32Array

PUBLISHED_BATCH = 250


@dataclass(frozen=True, slots=True)
class Variant:
    """How the loop runs.

    Attributes:
        batch: Masked copies that go through the network together.
        channels_last: Whether tensors lie as `[N, H, W, C]` in memory.
    """

    batch: int
    channels_last: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        return f"batch {self.batch}, {'channels-last' if self.channels_last else 'NCHW'}"


PUBLISHED = Variant(PUBLISHED_BATCH)


class EagerNetwork:
    """A model's network in eager torch, in both layouts."""

    def __init__(self, artifact: ModelArtifact) -> None:
        """Load the weights once a layout."""
        self._networks = {False: network_of(artifact), True: network_of(artifact)}
        self._networks[True].to(memory_format=torch.channels_last)

    def embed(self, variant: Variant, images: torch.Tensor) -> torch.Tensor:
        """Return unit embeddings, `[N, D]`, of normalized images, `[N, 3, S, S]`."""
        if variant.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        return torch.nn.functional.normalize(self._networks[variant.channels_last](images)[1])


class EagerLoops:
    """Explains one image by any variant of the loop; made to live in a process of its own."""

    def __init__(self, model: Path, image: Float32Array, query: Float32Array, threads: int) -> None:
        """Load the model; `image` is normalized, `[3, S, S]`, `query` is a unit embedding, `[D]`."""
        torch.set_num_threads(threads)
        self._network = EagerNetwork(read_artifact(model))
        self._image = torch.from_numpy(image)
        self._query = torch.from_numpy(query)[None]

    def explain(self, variant: Variant, windows: Sequence[int]) -> tuple[Effort, Float32Array]:
        """Make a map of some windows.

        Returns:
            What it cost, with these windows' share of the unmasked forward that a whole map needs once, and each
            window's increase of distance, `[N]`.
        """
        lattice = WindowLattice(size=self._image.shape[-1])
        masks = keep_masks(lattice, windows)
        found: list[torch.Tensor] = []
        with torch.no_grad():
            once = effort_of(
                lambda: found.append(self._network.embed(variant, self._image[None])), windows=lattice.windows
            )
            effort = effort_of(lambda: found.append(self._explain(variant, masks, found[0])), windows=len(windows))
        return effort.plus_share(once), found[1].numpy()

    def _explain(self, variant: Variant, masks: torch.Tensor, unmasked: torch.Tensor) -> torch.Tensor:
        batches = torch.split(masks, variant.batch)
        masked = torch.cat([self._network.embed(variant, self._image * some) for some in batches])
        increases = torch.cdist(masked, self._query)[:, 0] - torch.cdist(unmasked, self._query)[0, 0]
        hidden = 1 - masks[:, 0]
        _map = (hidden * increases.clamp(min=0)[:, None, None]).sum(dim=0) / hidden.sum(dim=0)
        return increases


def network_of(artifact: ModelArtifact) -> PooledNetwork:
    """Return a model's network with its weights."""
    recipe = RECIPES[artifact.architecture]
    trunk = recipe.make()
    tensors = load_file(artifact.path / WEIGHTS)
    load_trunk(trunk, recipe, {key.removeprefix("backbone."): value for key, value in tensors.items()}, field="weights")
    return PooledNetwork(trunk).eval()


def keep_masks(lattice: WindowLattice, windows: Sequence[int]) -> torch.Tensor:
    """Return masks of some windows, 1 where the image stays, `[N, 1, S, S]`."""
    masks = np.ones((len(windows), 1, lattice.size, lattice.size), np.float32)
    for mask, window in zip(masks, windows, strict=True):
        mask[0][lattice.box(window)] = 0
    return torch.from_numpy(masks)
