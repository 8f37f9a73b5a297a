"""The vote of the nearest items."""

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def label_confidences(scores: npt.ArrayLike, has_label: npt.ArrayLike, *, temperature: float) -> Float64Array:
    """Return how sure the nearest items make each label, 0 to 1.

    A neighbor's vote weighs exp(score / temperature): the lower the temperature, the more the nearest ones count. The
    confidence of a label is the share of the weight that votes for it. A neighbor of several labels votes for each of
    them with its whole weight, so each confidence answers for itself how likely the query carries that label; where
    every neighbor has one label the confidences add up to 1. A neighbor without labels has no vote.

    Args:
        scores: `[..., K]`, cosine similarities of the neighbors. -inf stands for a neighbor that is not there.
        has_label: `[..., K, L]`, which labels each carries.
        temperature: Above 0, in units of the score.

    Returns:
        `[..., L]`; all 0 where no neighbor has a vote.

    Raises:
        ValueError: If the shapes disagree, a score is NaN, or the temperature is not above 0.
    """
    score = np.asarray(scores, dtype=np.float64)
    carries = np.asarray(has_label, dtype=bool)
    if carries.shape[:-1] != score.shape:
        raise ValueError(f"scores {score.shape} and labels {carries.shape} are not of the same neighbors")
    if not temperature > 0 or not np.isfinite(temperature):
        raise ValueError(f"the temperature is {temperature}; it must be above 0")
    if np.isnan(score).any():
        raise ValueError("a score must be a number")
    weights = _weights(np.where(carries.any(axis=-1), score, -np.inf), temperature)
    shares: Float64Array = np.einsum("...k,...kl->...l", weights, carries)
    return np.clip(shares, 0.0, 1.0)


def _weights(scores: Float64Array, temperature: float) -> Float64Array:
    """Return `[..., K]` weights that add up to 1, or are all 0 where every score is -inf."""
    best = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    weights = np.exp((scores - np.where(np.isfinite(best), best, 0.0)) / temperature)
    total = weights.sum(axis=-1, keepdims=True)
    shares: Float64Array = weights / np.where(total > 0, total, 1.0)
    return shares
