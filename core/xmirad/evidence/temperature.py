"""Fitting the vote to what validation queries really show."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from xmirad.evidence.voting import BoolArray, Float64Array, label_confidences

LOWEST_TEMPERATURE = 0.001
"""Here a neighbor that scores 0.01 less weighs e^-10: the nearest one decides alone."""
HIGHEST_TEMPERATURE = 10.0
"""Here all neighbors weigh the same."""
NO_SCALING = 1.0
LEAST_CONFIDENCE = 1e-6
_GRID = 81
_GOLDEN = (np.sqrt(5) - 1) / 2
_STEPS = 40
_SAME = 1e-12


def fit_temperature(scores: npt.ArrayLike, has_label: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the temperature under which the labels of validation queries are most likely.

    Minimizes the mean of -ln(confidence) of the labels that each query carries, over its labels and over the queries,
    as Guo et al., "On calibration of modern neural networks" (ICML 2017), section 4.2, do with logits. A label that no
    neighbor carries has confidence 0 at every temperature and counts as 1e-6, so it does not decide. The search is
    bounded and deterministic: a grid over the logarithm, refined by golden section around its lowest point.

    Where an item or a query carries several labels, confidences do not sum to 1, and what is minimized is the mean
    binary cross-entropy over all labels instead: else a label that is not there could be as sure as one likes.

    Args:
        scores: `[Q, K]`, cosine similarities of every query's neighbors; -inf for one that is not there.
        has_label: `[Q, K, L]`, which labels each neighbor carries.
        truth: `[Q, L]`, which labels each query carries. Queries without any are passed over.

    Returns:
        0.001 to 10, and exactly 1 where every temperature does as well.

    Raises:
        ValueError: If the shapes disagree, a score is NaN, or no query carries a label.
    """
    score, carries = np.asarray(scores, dtype=np.float64), np.asarray(has_label, dtype=bool)
    true = np.asarray(truth, dtype=bool)
    if score.ndim != 2 or carries.shape[:-1] != score.shape or true.shape != (len(score), carries.shape[-1]):
        raise ValueError(f"scores {score.shape}, labels {carries.shape} and truth {true.shape} do not go together")
    labeled = true.any(axis=1)
    if not labeled.any():
        raise ValueError("no query carries a label, so there is nothing to fit to")

    several = bool((carries.sum(axis=-1) > 1).any() or (true.sum(axis=1) > 1).any())
    measure = binary_cross_entropy if several else negative_log_likelihood

    def loss(log_temperature: float) -> float:
        return measure(score[labeled], carries[labeled], true[labeled], temperature=float(np.exp(log_temperature)))

    return _lowest(loss)


def negative_log_likelihood(
    scores: Float64Array, has_label: BoolArray, truth: BoolArray, *, temperature: float
) -> float:
    """Return the mean of -ln(confidence) of the labels that queries carry, each query counting the same.

    Args:
        scores: `[Q, K]`.
        has_label: `[Q, K, L]`.
        truth: `[Q, L]`; every query carries a label.
        temperature: Above 0.
    """
    confidences = label_confidences(scores, has_label, temperature=temperature)
    losses = -np.log(np.maximum(confidences, LEAST_CONFIDENCE))
    return float(np.mean(np.sum(losses * truth, axis=1) / truth.sum(axis=1)))


def binary_cross_entropy(scores: Float64Array, has_label: BoolArray, truth: BoolArray, *, temperature: float) -> float:
    """Return the mean over queries and labels of -ln of the confidence in what is so: that the label is there, or not.

    Args:
        scores: `[Q, K]`.
        has_label: `[Q, K, L]`.
        truth: `[Q, L]`.
        temperature: Above 0.
    """
    confidences = label_confidences(scores, has_label, temperature=temperature)
    right = np.where(truth, confidences, 1 - confidences)
    return float(np.mean(-np.log(np.maximum(right, LEAST_CONFIDENCE))))


def _lowest(loss: Callable[[float], float]) -> float:
    grid = np.linspace(np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE), _GRID)
    losses = np.array([loss(float(point)) for point in grid])
    if losses.max() - losses.min() < _SAME:
        return NO_SCALING
    best = int(np.argmin(losses))
    refined = _golden_section(loss, float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _GRID - 1)]))
    chosen = refined if loss(refined) < losses[best] else float(grid[best])
    return float(np.clip(np.exp(chosen), LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE))


def _golden_section(loss: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(_STEPS):
        width = _GOLDEN * (high - low)
        left, right = high - width, low + width
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return (low + high) / 2
