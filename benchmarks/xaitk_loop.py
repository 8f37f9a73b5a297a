"""Occlusion by xaitk-saliency itself: with our windows, and as it comes, with its own, which are fewer at a stride.

It masks the uint8 image and hands all masked copies to a black box at once; ours is the same eager network, in batches.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from smqtk_descriptors.interfaces.image_descriptor_generator import ImageDescriptorGenerator
from xaitk_saliency.impls.gen_descriptor_sim_sal.similarity_scoring import SimilarityScoring
from xaitk_saliency.impls.gen_image_similarity_blackbox_sal.occlusion_based import PerturbationOcclusion
from xaitk_saliency.impls.gen_image_similarity_blackbox_sal.sbsm import SBSMStack
from xaitk_saliency.interfaces.gen_image_similarity_blackbox_sal import GenerateImageSimilarityBlackboxSaliency
from xaitk_saliency.interfaces.perturb_image import PerturbImage

from benchmarks.eager_loops import EagerNetwork, Variant, keep_masks
from benchmarks.effort import Effort, effort_of
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.models.artifact import read_artifact
from xmirad.saliency.lattice import STRIDE, WINDOW, WindowLattice
from xmirad.types import Float32Array, UInt8Array

UNMASKED = 2
"""xaitk-saliency embeds the image and the query first, each alone."""


class XaitkLoop:
    """Explains one image; made to live in a process of its own."""

    def __init__(self, model: Path, image: UInt8Array, query: UInt8Array, threads: int) -> None:
        """Load the model; `image` and `query` are its inputs, `[S, S, 3]`."""
        torch.set_num_threads(threads)
        artifact = read_artifact(model)
        self._recipe = artifact.preprocessing
        self._network = EagerNetwork(artifact)
        self._image, self._query = image, query

    def explain(self, variant: Variant, windows: Sequence[int]) -> Effort:
        """Make a map of some windows and return what it cost, the masks not counted."""
        masks = keep_masks(WindowLattice(size=len(self._image)), windows)[:, 0].numpy().astype(np.bool_)
        loop = PerturbationOcclusion(
            perturber=_Given(masks),
            generator=SimilarityScoring(),
            fill=self._fill,
        )
        whole = WindowLattice(size=len(self._image)).windows
        return self._effort(loop, variant, windows=len(windows), whole=whole)

    def explain_as_it_comes(self, variant: Variant, stride: int) -> Effort:
        """Make a map by `SBSMStack` with its own windows, our width and some stride; it makes masks on the clock."""
        loop = SBSMStack(window_size=(WINDOW, WINDOW), stride=(stride, stride), fill=self._fill)
        size = len(self._image)
        return self._effort(loop, variant, windows=own_windows(size, stride), whole=own_windows(size, STRIDE))

    def _effort(
        self, loop: GenerateImageSimilarityBlackboxSaliency, variant: Variant, *, windows: int, whole: int
    ) -> Effort:
        """Return what some windows of a whole map cost, with their share of the forwards that it needs once."""
        embedder = _Descriptors(self._network, self._recipe, variant)
        effort = effort_of(lambda: loop.generate(self._image, [self._query], embedder), windows=windows)
        for once in embedder.forwards[:UNMASKED]:
            effort = effort.without(once).plus_share(replace(once, windows=whole))
        return effort

    @property
    def _fill(self) -> list[int]:
        return [round(value) for value in self._recipe.mean]


def own_windows(size: int, stride: int) -> int:
    """Return how many windows xaitk-saliency's `SlidingWindow` has on an image; their width does not matter."""
    return (-(-size // stride)) ** 2


class _Given(PerturbImage):
    """Masks that are there already."""

    def __init__(self, masks: np.typing.NDArray[np.bool_]) -> None:
        self._masks = masks

    def perturb(self, ref_image: UInt8Array) -> np.typing.NDArray[np.bool_]:
        return self._masks

    def get_config(self) -> dict[str, Any]:
        return {}


class _Descriptors(ImageDescriptorGenerator):
    """The network as xaitk-saliency's black box, which keeps what each of its batches cost."""

    def __init__(self, network: EagerNetwork, recipe: Preprocessing, variant: Variant) -> None:
        self.forwards: list[Effort] = []
        self._network = network
        self._mean = torch.tensor(recipe.mean, dtype=torch.float32)
        self._std = torch.tensor(recipe.std, dtype=torch.float32)
        self._variant = variant

    def generate_arrays_from_images(self, img_mat_iter: Iterable[UInt8Array | None]) -> Iterator[Float32Array]:
        images = (image for image in img_mat_iter if image is not None)
        while batch := list(islice(images, self._variant.batch)):
            found: list[Float32Array] = []
            self.forwards.append(effort_of(partial(self._embed, batch, found), windows=len(batch)))
            yield from found

    def _embed(self, images: Sequence[UInt8Array], into: list[Float32Array]) -> None:
        with torch.no_grad():
            pixels = torch.from_numpy(np.stack(images)).to(torch.float32)
            normalized = ((pixels - self._mean) / self._std).permute(0, 3, 1, 2)
            if not self._variant.channels_last:
                normalized = normalized.contiguous()
            into.extend(self._network.embed(self._variant, normalized).numpy())

    def get_config(self) -> dict[str, Any]:
        return {}
