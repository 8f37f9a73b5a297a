"""Gaussian filters as small matrices, one for each axis."""

import numpy as np

from xmirad.saliency.lattice import Float64Array
from xmirad.types import Float32Array

TRUNCATION = 4.0
"""Standard deviations after which a kernel ends."""


def gaussian_kernel(sigma: float) -> Float64Array:
    """Return a kernel that sums to 1, `[2 r + 1]` with radius r = four standard deviations, rounded."""
    radius = int(TRUNCATION * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel: Float64Array = weights / weights.sum()
    return kernel


def folded_kernel(sigma: float, length: int) -> Float64Array:
    """Return the kernel `gkern(length, sigma)` of the insertion metric's published code, for one axis.

    It is a Gaussian of which whatever reaches beyond the length is mirrored back in, so that it still sums to 1.

    Args:
        sigma: Standard deviation in pixels.
        length: Number of weights, odd, more than four standard deviations.
    """
    kernel = gaussian_kernel(sigma)
    beyond = (kernel.size - length) // 2
    if beyond <= 0:
        return np.pad(kernel, -beyond)
    folded = kernel[beyond:-beyond].copy()
    folded[:beyond] += kernel[:beyond][::-1]
    folded[-beyond:] += kernel[-beyond:][::-1]
    return folded


def filter_matrix(kernel: Float64Array, size: int) -> Float64Array:
    """Return the matrix that filters `size + 2 r` values into `size`, `[size, size + 2 r]`, r the kernel's radius."""
    matrix = np.zeros((size, size + kernel.size - 1))
    for row in range(size):
        matrix[row, row : row + kernel.size] = kernel
    return matrix


def blurred(image: Float32Array, kernel: Float64Array) -> Float32Array:
    """Filter an image on both axes as if zeros lay around it: its borders fade to 0.

    Args:
        image: `[C, S, S]`, normalized.
        kernel: `[2 r + 1]`.

    Returns:
        `[C, S, S]`.
    """
    size, radius = image.shape[-1], kernel.size // 2
    matrix = filter_matrix(kernel, size)[:, radius : radius + size]
    faded: Float32Array = (matrix @ image.astype(np.float64) @ matrix.T).astype(np.float32)
    return faded


def blurred_evenly(image: Float32Array, kernel: Float64Array) -> Float32Array:
    """Filter an image on both axes, weighing only what lies within it: its borders keep their brightness.

    Args:
        image: `[C, S, S]`, normalized.
        kernel: `[2 r + 1]`.

    Returns:
        `[C, S, S]`.
    """
    even: Float32Array = blurred(image, kernel) / blurred(np.ones_like(image[:1]), kernel)
    return even
