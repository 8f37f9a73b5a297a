"""How values without a display range become gray levels: one rule for DICOM and raster images."""

from typing import Any

import numpy as np
import numpy.typing as npt

from xmirad.types import UInt8Array

Values = npt.NDArray[Any]
LOWEST_FRACTION = 0.005
HIGHEST_FRACTION = 0.995
SAMPLES = 1 << 20


def percentile_range(sample: Values) -> tuple[float, float]:
    """Return the values at the fractions 0.005 and 0.995 of the sorted sample.

    Values that are not finite take no part. An empty sample gives 0 and 0.

    Args:
        sample: Pixels of any shape, usually `thinned`.
    """
    ordered = np.sort(sample[np.isfinite(sample)], axis=None)
    if not ordered.size:
        return 0.0, 0.0
    last = ordered.size - 1
    return float(ordered[int(LOWEST_FRACTION * last)]), float(ordered[round(HIGHEST_FRACTION * last)])


def thinned(pixels: Values) -> Values:
    """Return every n-th row and column of an image, n the smallest number that leaves at most 2^20 pixels."""
    height, width = pixels.shape[:2]
    step = 1
    while -(-height // step) * -(-width // step) > SAMPLES:
        step += 1
    return pixels[::step, ::step]


def to_gray_levels(values: Values, lowest: float, highest: float) -> UInt8Array:
    """Map `lowest` to 0 and `highest` to 255, linearly, rounding to the nearest; clip what lies beyond.

    Without a range (`highest` not above `lowest`), values above `lowest` become 255 and all others 0. A value that is
    not a number becomes 0.
    """
    if highest <= lowest:
        return np.where(values > lowest, 255, 0).astype(np.uint8)
    scaled = (values.astype(np.float64) - lowest) * (255.0 / (highest - lowest)) + 0.5
    return np.nan_to_num(np.clip(scaled, 0.0, 255.0), nan=0.0).astype(np.uint8)
