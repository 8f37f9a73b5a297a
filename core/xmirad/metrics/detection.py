"""Telling images that an archive should know from images that it should not, by one number for each.

Outside images are the positives, and the higher the number, the more an image is taken to be outside (as in Hendrycks,
Mazeika and Dietterich, "Deep anomaly detection with outlier exposure", ICLR 2019).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.metrics.bootstrap import CONFIDENCE, RESAMPLES, Estimate

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
DETECTED_PERCENT = 95
ROC_STEPS = 100
_CHUNK_CELLS = 4_000_000
_STREAM = 0xDE7E  # keeps the draws independent of other uses of the same seed


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """How well outside images are told from inside ones, each figure with its 95 % percentile bootstrap interval.

    Attributes:
        auroc: Probability that a drawn outside image lies higher than a drawn inside one, ties counting half; 0.5 by
            chance.
        aupr: Average precision of the outside images; their share of all images by chance.
        fpr_at_95: Share of the inside images that are taken for outside where at least 95 % of the outside ones are;
            lower is better.
    """

    auroc: Estimate
    aupr: Estimate
    fpr_at_95: Estimate


def detection_figures(
    inside: npt.ArrayLike, outside: npt.ArrayLike, *, seed: int, resamples: int = RESAMPLES
) -> DetectionFigures:
    """Return the figures of a detector. Inside and outside images are drawn again separately.

    Args:
        inside: `[N]`, the number of each image that the archive should know.
        outside: `[M]`, that of each image that it should not.
        seed: Equal seeds give equal intervals.
        resamples: How often to draw.

    Raises:
        ValueError: If there are no inside or no outside images, or a number is NaN.
    """
    inside_counts, outside_counts = _levels(inside, outside)
    point = _figures(inside_counts[None], outside_counts[None])[0]
    generator = np.random.default_rng([seed, _STREAM])
    chunk = max(1, _CHUNK_CELLS // len(inside_counts))
    draws = np.concatenate(
        [
            _figures(_drawn(generator, inside_counts, size), _drawn(generator, outside_counts, size))
            for start in range(0, resamples, chunk)
            for size in (min(chunk, resamples - start),)
        ]
    )
    tail = (1 - CONFIDENCE) / 2
    lows, highs = np.quantile(draws, [tail, 1 - tail], axis=0)
    return DetectionFigures(*(Estimate(*map(float, each)) for each in zip(point, lows, highs, strict=True)))


def detection_curve(inside: npt.ArrayLike, outside: npt.ArrayLike) -> Float64Array:
    """Return the share of outside images found while at most 0, 0.01, ... 1 of the inside ones are taken for one.

    Args:
        inside: `[N]`, as in `detection_figures`.
        outside: `[M]`.

    Returns:
        `[101]`, 0 to 1, rising.

    Raises:
        ValueError: As `detection_figures`.
    """
    inside_counts, outside_counts = _levels(inside, outside)
    false = np.concatenate([[0], np.cumsum(inside_counts)])
    found = np.concatenate([[0], np.cumsum(outside_counts)])
    allowed = np.arange(ROC_STEPS + 1) * inside_counts.sum()
    last = np.searchsorted(false * ROC_STEPS, allowed, side="right") - 1
    curve: Float64Array = found[last] / outside_counts.sum()
    return curve


def _levels(inside: npt.ArrayLike, outside: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Return how many inside and how many outside images have each number that occurs, `[U]`, highest number first."""
    groups = [np.asarray(each, dtype=np.float64) for each in (inside, outside)]
    if any(group.size == 0 or np.isnan(group).any() for group in groups):
        raise ValueError("there must be inside and outside images, each with a number")
    levels, places = np.unique(-np.concatenate(groups), return_inverse=True)
    split = groups[0].size
    counts = [np.bincount(each, minlength=levels.size) for each in (places[:split], places[split:])]
    return counts[0].astype(np.int64), counts[1].astype(np.int64)


def _drawn(generator: np.random.Generator, counts: IntArray, size: int) -> IntArray:
    total = int(counts.sum())
    return generator.multinomial(total, counts / total, size=size)


def _figures(inside: IntArray, outside: IntArray) -> Float64Array:
    """Return `[B, 3]` of counts `[B, U]`: AUROC, AUPR and the false positives at 95 %."""
    false, found = np.cumsum(inside, axis=1), np.cumsum(outside, axis=1)
    inside_total, outside_total = false[:, -1], found[:, -1]
    lower = inside_total[:, None] - false + inside / 2
    auroc = np.sum(outside * lower, axis=1) / (inside_total * outside_total)
    precision = found / np.maximum(found + false, 1)
    aupr = np.sum(outside * precision, axis=1) / outside_total
    first = np.argmax(100 * found >= DETECTED_PERCENT * outside_total[:, None], axis=1)
    fpr = false[np.arange(len(false)), first] / inside_total
    return np.stack([auroc, aupr, fpr], axis=1)
