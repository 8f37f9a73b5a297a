"""Structural similarity of two maps: do they look alike, place by place?

Z. Wang, A. Bovik, H. Sheikh and E. Simoncelli, "Image quality assessment: from error visibility to structural
similarity" (IEEE Transactions on Image Processing, 2004), equation 13, with its constants and its Gaussian window of 11
pixels (standard deviation 1.5). Only places whose whole window lies on the maps count.
"""

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]
SIGMA, RADIUS = 1.5, 5
SMALLEST_SIDE = 2 * RADIUS + 1
_STABILIZERS = (0.01, 0.03)


def ssim(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the mean structural similarity of two maps, -1 to 1; 1 for equal maps.

    Args:
        first: `[H, W]`, values of 0 to 1, both sides of at least 11 pixels.
        second: The same.

    Raises:
        ValueError: If the maps differ in shape or are smaller than the window.
    """
    x, y = (np.asarray(each, dtype=np.float64) for each in (first, second))
    if x.shape != y.shape or x.ndim != 2 or min(x.shape) < SMALLEST_SIDE:
        raise ValueError(f"maps of {x.shape} and {y.shape}; they must be equally large, {SMALLEST_SIDE} pixels or more")
    rows, columns = (_window_weights(length) for length in x.shape)

    def local_mean(values: Float64Array) -> Float64Array:
        mean: Float64Array = rows @ values @ columns.T
        return mean

    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = local_mean(x * x) - mean_x**2 + local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    steady_means, steady_variances = (constant**2 for constant in _STABILIZERS)
    luminance = (2 * mean_x * mean_y + steady_means) / (mean_x**2 + mean_y**2 + steady_means)
    structure = (2 * covariance + steady_variances) / (variances + steady_variances)
    return float(np.mean(luminance * structure))


def _window_weights(length: int) -> Float64Array:
    """Return how much each pixel of an axis counts in each window, `[length - 10, length]`, rows that sum to 1."""
    offsets = np.arange(-RADIUS, RADIUS + 1)
    window = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    window /= window.sum()
    weights = np.zeros((length - 2 * RADIUS, length))
    for start, row in enumerate(weights):
        row[start : start + len(window)] = window
    return weights
