"""Maps that know nothing of the image, to compare a map with: seeded smooth random fields, and the center of the image.

Smooth, because scattered pixels destroy a network's input faster than any region does: against an order drawn pixel by
pixel every map loses on deletion. The fields are noise filtered by a Gaussian, without an influence of the borders. The
center, because photographers and radiographers place what matters there: a map that points at the middle of every image
finds much of it and knows nothing (the center prior of the literature on saliency, as in Judd, Durand and Torralba, "A
benchmark of computational models of saliency to predict human fixations", MIT 2012).
"""

import numpy as np
import numpy.typing as npt

from xmirad.saliency.gaussian import filter_matrix, gaussian_kernel
from xmirad.types import Float32Array

RANDOM_FIELDS = 9
CONTROLS = RANDOM_FIELDS + 1
"""Better than all ten by chance: one map in eleven."""
CONTROL_SIGMA = 20.0
CENTER_SIGMA_SHARE = 0.25


def control_fields(size: int, *, seed: int, sigma: float = CONTROL_SIGMA) -> Float32Array:
    """Return the fields that a map has to beat: random ones, and a centered Gaussian as the last.

    Args:
        size: Width and height in pixels.
        seed: Of the random fields; equal seeds give equal fields.
        sigma: Standard deviation of their Gaussian filter in pixels.

    Returns:
        `[10, size, size]`; the random ones about normally distributed around 0.
    """
    return np.concatenate([_random_fields(size, seed=seed, sigma=sigma), center_prior(size)[None]])


def center_prior(size: int) -> Float32Array:
    """Return a Gaussian around the center of the image, `[size, size]`, above 0 to 1; its width decides no order."""
    offsets = (np.arange(size) - (size - 1) / 2) / (CENTER_SIGMA_SHARE * size)
    profile = np.exp(-np.square(offsets) / 2)
    prior: Float32Array = np.outer(profile, profile).astype(np.float32)
    return prior


def _random_fields(size: int, *, seed: int, sigma: float) -> Float32Array:
    kernel = gaussian_kernel(sigma)
    filtering = filter_matrix(kernel, size)
    margin = kernel.size - 1
    generator = np.random.default_rng(seed)
    fields = np.empty((RANDOM_FIELDS, size, size), dtype=np.float32)
    for field in fields:
        noise: npt.NDArray[np.float64] = generator.standard_normal((size + margin, size + margin))
        field[:] = filtering @ noise @ filtering.T / np.square(kernel).sum()
    return fields
