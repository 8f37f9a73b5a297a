"""From the responses of windows to a value for every pixel.

A pixel's value is the mean response of the windows that hide it (Dong et al., CVPR Workshops 2019):

    S(p) = sum_i (1 - m_i(p)) K_i / sum_i (1 - m_i(p))

Windows of a lattice are products of rows and columns, so with K as an n x n matrix and R, C the 0/1 matrices of which
pixels each row or column of windows hides, S = (R^T K C) / outer(sum of R over windows, sum of C over windows): the
same map from two small matrix products. Windows clipped by a border count as much as whole ones, as published; borders
come out dimmer.
"""

from functools import lru_cache

import numpy as np

from xmirad.saliency.lattice import LATTICES_KEPT, Float64Array, WindowLattice
from xmirad.types import Float32Array


def aggregated(lattice: WindowLattice, responses: Float64Array) -> Float32Array:
    """Return the saliency map.

    Args:
        lattice: Where the windows lie.
        responses: K as a matrix, `[n, n]`, rows of windows from top to bottom.

    Returns:
        `[size, size]`, within the range of the responses.
    """
    members = lattice.memberships()
    summed: Float32Array = (members.T @ responses @ members / coverage(lattice)).astype(np.float32)
    return summed


def aggregated_deviations(lattice: WindowLattice, deviations: Float64Array) -> Float64Array:
    """Return the standard deviations of a map whose responses are off independently of each other.

    Args:
        lattice: Where the windows lie.
        deviations: Standard deviation of each response, `[n, n]`.

    Returns:
        `[size, size]`.
    """
    members = lattice.memberships()
    spread: Float64Array = np.sqrt(members.T @ np.square(deviations) @ members) / coverage(lattice)
    return spread


@lru_cache(maxsize=LATTICES_KEPT)
def coverage(lattice: WindowLattice) -> Float64Array:
    """Return how many windows hide each pixel, `[size, size]`, at least 1; not to be written to."""
    counts = lattice.memberships().sum(axis=0)
    covered = np.outer(counts, counts)
    covered.setflags(write=False)
    return covered
