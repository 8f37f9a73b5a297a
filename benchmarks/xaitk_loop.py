"""Occlusion by xaitk-saliency itself: with our windows, and as it comes, with its own, which are fewer at a stride.

It masks the uint8 image and hands all masked copies to a black box at once; ours is the same eager network, in batches.
"""

from collections.abc import Iterable, Iterator, Sequence
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

from benchmarks.eager_loops import Variant, keep_masks, network_of
from benchmarks.effort import Effort, effort_of
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.models.artifact import read_artifact
from xmirad.saliency.lattice import WINDOW, WindowLattice
from xmirad.types import Float32Array, UInt8Array


class XaitkLoop:
    """Explains one image; made to live in a process of its own."""

    def __init__(self, model: Path, image: UInt8Array, query: UInt8Array, threads: int) -> None:
        """Load the model; `image` and `query` are its inputs, `[S, S, 3]`."""
        torch.set_num_threads(threads)
        artifact = read_artifact(model)
        self._recipe = artifact.preprocessing
        self._network = network_of(artifact)
        self._image, self._query = image, query

    def explain(self, variant: Variant, windows: Sequence[int]) -> Effort:
        """Make a map of some windows and return what it cost, the masks not counted."""
        masks = keep_masks(WindowLattice(size=len(self._image)), windows)[:, 0].numpy().astype(np.bool_)
        loop = PerturbationOcclusion(
            perturber=_Given(masks),
            generator=SimilarityScoring(),
            fill=self._fill,
        )
        return self._effort(loop, variant, windows=len(windows))

    def explain_as_it_comes(self, variant: Variant, stride: int) -> Effort:
        """Make a map by `SBSMStack` with its own windows, our width and some stride; it makes masks on the clock."""
        loop = SBSMStack(window_size=(WINDOW, WINDOW), stride=(stride, stride), fill=self._fill)
        return self._effort(loop, variant, windows=own_windows(len(self._image), stride))

    def _effort(self, loop: GenerateImageSimilarityBlackboxSaliency, variant: Variant, *, windows: int) -> Effort:
        embedder = _Descriptors(self._network, self._recipe, variant)
        return effort_of(lambda: loop.generate(self._image, [self._query], embedder), windows=windows)

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
    """The network as xaitk-saliency's black box."""

    def __init__(self, network: torch.nn.Module, recipe: Preprocessing, variant: Variant) -> None:
        self._network = network
        self._mean = torch.tensor(recipe.mean, dtype=torch.float32)
        self._std = torch.tensor(recipe.std, dtype=torch.float32)
        self._batch = variant.batch

    def generate_arrays_from_images(self, img_mat_iter: Iterable[UInt8Array | None]) -> Iterator[Float32Array]:
        images = (image for image in img_mat_iter if image is not None)
        while batch := list(islice(images, self._batch)):
            with torch.no_grad():
                pixels = torch.from_numpy(np.stack(batch)).to(torch.float32)
                normalized = ((pixels - self._mean) / self._std).permute(0, 3, 1, 2).contiguous()
                yield from torch.nn.functional.normalize(self._network(normalized)[1]).numpy()

    def get_config(self) -> dict[str, Any]:
        return {}
