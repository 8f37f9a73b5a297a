"""Whether confidences can be believed: of the answers given with 70 % confidence, are 70 % right?

Bins hold about equally many answers, so that each is measured equally well (equal mass, as in Nguyen and O'Connor,
"Posterior calibration and exploratory analysis for natural language processing models", EMNLP 2015, section 3). Equal
confidences are never split between bins, because which of them would go where is chance; there are fewer bins then.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 15


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers of about the same confidence.

    Attributes:
        confidence: Their mean confidence, 0 to 1.
        accuracy: Share of them that are correct, 0 to 1.
        count: How many they are, at least 1.
    """

    confidence: float
    accuracy: float
    count: int


def reliability(confidences: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Sort answers by confidence into bins of about equal mass.

    Args:
        confidences: `[N]`, 0 to 1.
        correct: `[N]`, whether each answer is correct.
        bins: At most so many bins, at least 1.

    Returns:
        The bins that are not empty, lowest confidence first.

    Raises:
        ValueError: If there is no answer, not one `correct` for each, a confidence is outside 0 to 1, or `bins` is
            below 1.
    """
    stated = np.asarray(confidences, dtype=np.float64)
    right = np.asarray(correct, dtype=bool)
    _check(stated, right, bins)
    ordered = np.sort(stated)
    first_ranks = np.searchsorted(ordered, stated)
    places = first_ranks * bins // stated.size
    counts = np.bincount(places, minlength=bins)
    means = np.bincount(places, weights=stated, minlength=bins)
    right_counts = np.bincount(places, weights=right, minlength=bins)
    return tuple(
        ReliabilityBin(
            float(means[place] / counts[place]), float(right_counts[place] / counts[place]), int(counts[place])
        )
        for place in np.flatnonzero(counts)
    )


def expected_calibration_error(confidences: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return the mean distance between confidence and accuracy over the bins, each weighted by its count; 0 to 1.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (AAAI 2015),
    with bins of equal mass instead of equal width. With few answers in a bin it is above 0 by chance alone.

    Args:
        confidences: `[N]`, 0 to 1.
        correct: `[N]`, whether each answer is correct.
        bins: At most so many bins, at least 1.

    Raises:
        ValueError: As `reliability`.
    """
    found = reliability(confidences, correct, bins=bins)
    total = sum(each.count for each in found)
    return sum(each.count * abs(each.confidence - each.accuracy) for each in found) / total


def _check(confidences: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_], bins: int) -> None:
    if confidences.ndim != 1 or confidences.size == 0 or confidences.shape != correct.shape:
        raise ValueError(f"{confidences.shape} confidences and {correct.shape} answers: one of each is needed")
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise ValueError("a confidence must be from 0 to 1")
    if bins < 1:
        raise ValueError(f"{bins} bins; at least 1 is needed")
