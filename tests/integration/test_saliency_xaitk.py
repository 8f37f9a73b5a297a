"""Our occlusion maps against xaitk-saliency's, from the same windows and the same embeddings."""

import numpy as np
import numpy.typing as npt
import pytest
from xaitk_saliency.impls.gen_descriptor_sim_sal.similarity_scoring import SimilarityScoring

from support.saliency import random_image, slow_masked, slow_windows, toy_embedder
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.levels import walk
from xmirad.saliency.method import Evidence
from xmirad.saliency.occlusion import Occlusion
from xmirad.saliency.scoring import PlainDifferences

QUERIES = 3
EMBEDDING_SIZE = 64
TOLERANCE = 1e-6


def keep_masks(lattice: WindowLattice) -> npt.NDArray[np.bool_]:
    """Return what each window leaves visible, row by row, `[windows, size, size]`."""
    masks = np.ones((lattice.windows, lattice.size, lattice.size), dtype=np.bool_)
    for mask, (top, bottom, left, right) in zip(masks, slow_windows(lattice), strict=True):
        mask[top:bottom, left:right] = False
    return masks


def scaled(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return a map as xaitk-saliency scales it in the end: by its own largest absolute value, clipped."""
    wide = values.astype(np.float64)
    clipped: npt.NDArray[np.float64] = np.clip(wide / np.abs(wide).max(), -1, 1)
    return clipped


@pytest.mark.parametrize(
    "lattice",
    [WindowLattice(size=96), WindowLattice(size=224, stride=12), WindowLattice(size=40, window=9, stride=4)],
    ids=["24/5 on 96", "24/12 on 224", "9/4 on 40"],
)
def test_maps_equal_those_of_xaitk_but_for_their_final_scaling(lattice: WindowLattice) -> None:
    embed = toy_embedder(1, size=lattice.size, embedding_size=EMBEDDING_SIZE)
    image = random_image(2, lattice.size)
    queries = embed(np.stack([random_image(3 + number, lattice.size) for number in range(QUERIES)]))
    result, masked = embed(image[None])[0], embed(slow_masked(image, lattice))

    theirs = SimilarityScoring("euclidean").generate(result, queries, masked, keep_masks(lattice))

    differences = PlainDifferences((masked - result)[walk(lattice)])
    for query, expected in zip(queries, theirs, strict=True):
        (ours,) = Occlusion(lattice).explain(Evidence(query), Evidence(result, masked=differences))
        difference = np.abs(scaled(ours.values) - expected).max()
        print(f"{lattice.windows} windows, difference {difference:.1e} of the maximum")
        assert ours.values.max() > 0
        assert difference <= TOLERANCE
