"""Maps that know nothing of the image, to compare a map with: seeded smooth random fields.

Smooth, because scattered pixels destroy a network's input faster than any region does: against an order drawn pixel by
pixel every map loses on deletion. The fields are noise filtered by a Gaussian, without an influence of the borders.
"""

import numpy as np
import numpy.typing as npt

from xmirad.saliency.gaussian import filter_matrix, gaussian_kernel
from xmirad.types import Float32Array

CONTROLS = 9
"""Better than all nine by chance: one map in ten."""
CONTROL_SIGMA = 20.0


def control_fields(size: int, *, seed: int, count: int = CONTROLS, sigma: float = CONTROL_SIGMA) -> Float32Array:
    """Return random fields.

    Args:
        size: Width and height in pixels.
        seed: Equal seeds give equal fields.
        count: How many.
        sigma: Standard deviation of the Gaussian in pixels.

    Returns:
        `[count, size, size]`, about normally distributed around 0.
    """
    kernel = gaussian_kernel(sigma)
    filtering = filter_matrix(kernel, size)
    margin = kernel.size - 1
    generator = np.random.default_rng(seed)
    fields = np.empty((count, size, size), dtype=np.float32)
    for field in fields:
        noise: npt.NDArray[np.float64] = generator.standard_normal((size + margin, size + margin))
        field[:] = filtering @ noise @ filtering.T / np.square(kernel).sum()
    return fields
