"""The vote of the nearest items."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Vote:
    """How neighbors are weighed.

    Attributes:
        temperature: Above 0, in units of the score: the lower, the more the nearest ones count.
        pseudo_count: Weight, in units of all neighbors together, that is spread evenly over the labels; 0 or more.
            Above 0 not even neighbors that all agree make a label certain.
    """

    temperature: float = 1.0
    pseudo_count: float = 0.0


UNFITTED = Vote()


def label_confidences(
    scores: npt.ArrayLike, has_label: npt.ArrayLike, *, vote: Vote, label_count: int | None = None
) -> Float64Array:
    """Return how sure the nearest items make each label, 0 to 1.

    A neighbor's vote weighs exp(score / temperature). With w the share of the weight that votes for a label, a the
    pseudo-count and L the number of labels that there are, the label's confidence is (w + a / L) / (1 + a). A neighbor
    of several labels votes for each of them with its whole weight, so each confidence answers for itself how likely the
    query carries that label; where every neighbor has one label the confidences of all L labels add up to 1. A neighbor
    without labels has no vote.

    Args:
        scores: `[..., K]`, cosine similarities of the neighbors. -inf stands for a neighbor that is not there.
        has_label: `[..., K, N]`, which labels each carries.
        vote: How they are weighed.
        label_count: How many labels there are, at least N; None: N.

    Returns:
        `[..., N]`; all 0 where no neighbor has a vote.

    Raises:
        ValueError: If the shapes disagree, a score is NaN, the temperature is not above 0, the pseudo-count is below 0,
            or there are fewer labels than the neighbors carry.
    """
    score = np.asarray(scores, dtype=np.float64)
    carries = np.asarray(has_label, dtype=bool)
    if carries.shape[:-1] != score.shape:
        raise ValueError(f"scores {score.shape} and labels {carries.shape} are not of the same neighbors")
    if not vote.temperature > 0 or not np.isfinite(vote.temperature):
        raise ValueError(f"the temperature is {vote.temperature}; it must be above 0")
    if not vote.pseudo_count >= 0 or not np.isfinite(vote.pseudo_count):
        raise ValueError(f"the pseudo-count is {vote.pseudo_count}; it must be 0 or more")
    count = carries.shape[-1] if label_count is None else label_count
    if count < carries.shape[-1]:
        raise ValueError(f"there are {count} labels, and the neighbors carry {carries.shape[-1]}")
    if np.isnan(score).any():
        raise ValueError("a score must be a number")
    weights = _weights(np.where(carries.any(axis=-1), score, -np.inf), vote.temperature)
    shares = np.clip(np.einsum("...k,...kl->...l", weights, carries), 0.0, 1.0)
    smoothed = (shares + vote.pseudo_count / max(count, 1)) / (1 + vote.pseudo_count)
    confidences: Float64Array = np.where(weights.any(axis=-1, keepdims=True), smoothed, 0.0)
    return confidences


def _weights(scores: Float64Array, temperature: float) -> Float64Array:
    """Return `[..., K]` weights that add up to 1, or are all 0 where every score is -inf."""
    best = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    weights = np.exp((scores - np.where(np.isfinite(best), best, 0.0)) / temperature)
    total = weights.sum(axis=-1, keepdims=True)
    shares: Float64Array = weights / np.where(total > 0, total, 1.0)
    return shares
