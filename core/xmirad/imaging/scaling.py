"""How values without a display range become gray levels: one rule for DICOM and raster images."""

from typing import Any

import numpy as np
import numpy.typing as npt

from xmirad.types import UInt8Array

Values = npt.NDArray[Any]
LOWEST_FRACTION = 0.005
HIGHEST_FRACTION = 0.995
SAMPLES = 1 << 20


def percentile_range(values: Values, keep_mask: npt.NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Return the values at the fractions 0.005 and 0.995 of the sorted pixels.

    So that large images cost little, only every n-th row and column take part, n the smallest step that leaves at most
    2^20 pixels. Values that are not finite never do.

    Args:
        values: `[H, W]`.
        keep_mask: `[H, W]`, True where a pixel takes part, or None for all.
    """
    step = 1
    while -(-values.shape[0] // step) * -(-values.shape[1] // step) > SAMPLES:
        step += 1
    sample = values[::step, ::step]
    kept = np.isfinite(sample)
    if keep_mask is not None:
        kept &= keep_mask[::step, ::step]
    ordered = np.sort(sample[kept], axis=None)
    if not ordered.size:
        return 0.0, 0.0
    last = ordered.size - 1
    return float(ordered[int(LOWEST_FRACTION * last)]), float(ordered[round(HIGHEST_FRACTION * last)])


def to_gray_levels(values: Values, lowest: float, highest: float) -> UInt8Array:
    """Map `lowest` to 0 and `highest` to 255, linearly, rounding to the nearest; clip what lies beyond.

    Without a range (`highest` not above `lowest`), values above `lowest` become 255 and all others 0. A value that is
    not a number becomes 0.
    """
    if highest <= lowest:
        return np.where(values > lowest, 255, 0).astype(np.uint8)
    scaled = (values.astype(np.float64) - lowest) * (255.0 / (highest - lowest)) + 0.5
    return np.nan_to_num(np.clip(scaled, 0.0, 255.0), nan=0.0).astype(np.uint8)
