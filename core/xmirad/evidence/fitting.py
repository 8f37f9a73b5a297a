"""Fitting the vote to what validation queries really show, and trying it on queries that it was not fitted to."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.evidence.voting import UNFITTED, BoolArray, Float64Array, Vote, label_confidences

LOWEST_TEMPERATURE = 0.001
"""Here a neighbor that scores 0.01 less weighs e^-10: the nearest one decides alone."""
HIGHEST_TEMPERATURE = 10.0
"""Here all neighbors weigh the same."""
LOWEST_PSEUDO_COUNT = 1e-5
"""Here neighbors that all agree are as good as certain."""
HIGHEST_PSEUDO_COUNT = 100.0
"""Here neighbors say next to nothing."""
FOLDS = 5
LEAST_CONFIDENCE = 1e-9
_FOLD_STREAM = 0xF01D
_GRID = 25
_GOLDEN = (np.sqrt(5) - 1) / 2
_STEPS = 16
_BISECTIONS = 20
_SAME = 1e-12
_BOUND_TOLERANCE = 1.01
"""A fit this near to a bound, as a factor, is at it."""

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class LabeledNeighbors:
    """Queries whose labels are known, and their neighbors.

    Attributes:
        scores: `[Q, K]`, cosine similarities of every query's neighbors; -inf for one that is not there.
        has_label: `[Q, K, L]`, which labels each neighbor carries; L is the number of labels that there are.
        truth: `[Q, L]`, which labels each query carries.

    Raises:
        ValueError: If the shapes disagree.
    """

    scores: Float64Array
    has_label: BoolArray
    truth: BoolArray

    def __post_init__(self) -> None:
        """Check the shapes."""
        score, carries, true = self.scores.shape, self.has_label.shape, self.truth.shape
        if len(score) != 2 or carries[:-1] != score or true != (score[0], carries[-1]):
            raise ValueError(f"scores {score}, labels {carries} and truth {true} do not go together")

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.scores)

    def some(self, which: BoolArray) -> "LabeledNeighbors":
        """Return the queries that a mask names, `[Q]`."""
        return LabeledNeighbors(self.scores[which], self.has_label[which], self.truth[which])

    def answers(self, vote: Vote) -> tuple[Float64Array, BoolArray]:
        """Return the confidence of each query's most confident label, and whether the query carries it, both `[Q]`."""
        confidences = label_confidences(self.scores, self.has_label, vote=vote)
        best = confidences.argmax(axis=1)
        rows = np.arange(len(best))
        return confidences[rows, best], self.truth[rows, best]


def fit_vote(found: LabeledNeighbors) -> Vote:
    """Return the temperature and the pseudo-count under which the labels of validation queries are most likely.

    Minimizes the mean of -ln(confidence) of the labels that each query carries, over its labels and over the queries,
    as Guo et al., "On calibration of modern neural networks" (ICML 2017), section 4.2, do with logits. The pseudo-count
    is what unanimous errors decide: no temperature lowers the confidence of neighbors that all agree, and a true label
    that none of them carries has the confidence (a / L) / (1 + a).

    One more query is imagined, whose neighbors all agree and are wrong: n images cannot rule an error out that is rarer
    than one in n (Laplace's rule of succession), and neighbors that all agree are never certain.

    At a given temperature the loss is convex in s = a / (1 + a), since confidences are linear in it; its lowest point
    there is found by bisection of the slope. Over the temperature the search is a grid of the logarithm, refined by
    golden section around its lowest point. Bounded and deterministic.

    Where an item or a query carries several labels, confidences do not sum to 1, and what is minimized is the mean
    binary cross-entropy over all labels instead: else a label that is not there could be as sure as one likes.

    Args:
        found: The queries; those without a label are passed over.

    Returns:
        Temperature 0.001 to 10, exactly 1 where every temperature does as well; pseudo-count 1e-5 to 100.

    Raises:
        ValueError: If a score is NaN, or no query carries a label.
    """
    labeled = found.some(np.asarray(found.truth.any(axis=1)))
    if not len(labeled):
        raise ValueError("no query carries a label, so there is nothing to fit to")

    def smoothing(log_temperature: float) -> tuple[float, float]:
        return _best_smoothing(_Likelihood(labeled, temperature=float(np.exp(log_temperature))))

    log_temperature = _lowest(lambda log_temperature: smoothing(log_temperature)[1])
    temperature = float(np.clip(np.exp(log_temperature), LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE))
    share = smoothing(log_temperature)[0]
    pseudo_count = float(np.clip(share / (1 - share), LOWEST_PSEUDO_COUNT, HIGHEST_PSEUDO_COUNT))
    return Vote(temperature=temperature, pseudo_count=pseudo_count)


def mean_loss(found: LabeledNeighbors, vote: Vote) -> float:
    """Return what `fit_vote` minimizes, for queries that all carry a label."""
    share = vote.pseudo_count / (1 + vote.pseudo_count)
    return _Likelihood(found, temperature=vote.temperature).loss(share)


def bound_reached(vote: Vote) -> str:
    """Say which bound of the search a fitted vote lies at, in words, or return an empty string."""
    near = _BOUND_TOLERANCE
    if vote.temperature >= HIGHEST_TEMPERATURE / near:
        return f"the temperature is at its highest, {HIGHEST_TEMPERATURE:g}, where near items say no more than far ones"
    if vote.temperature <= LOWEST_TEMPERATURE * near:
        return f"the temperature is at its lowest, {LOWEST_TEMPERATURE:g}, where the nearest item decides alone"
    if vote.pseudo_count >= HIGHEST_PSEUDO_COUNT / near:
        return f"the pseudo-count is at its highest, {HIGHEST_PSEUDO_COUNT:g}, where the nearest items say nothing"
    if vote.pseudo_count <= LOWEST_PSEUDO_COUNT * near:
        return f"the pseudo-count is at its lowest, {LOWEST_PSEUDO_COUNT:g}: neighbors that agree are always right"
    return ""


def held_out_answers(found: LabeledNeighbors, folds: IntArray) -> tuple[tuple[Vote, ...], Float64Array, BoolArray]:
    """Judge each fold of the queries with the vote that was fitted to the others.

    (The items of a fold still are neighbors of the other queries where queries are searched among each other.)

    Args:
        found: The queries; all carry a label.
        folds: `[Q]`, of `deal_into_folds`, at least two different ones.

    Returns:
        The vote of each fold, the confidence of each query's most confident label, `[Q]`, and whether it carries it,
        `[Q]`.
    """
    votes = []
    confidences, correct = np.zeros(len(found)), np.zeros(len(found), dtype=np.bool_)
    for fold in np.unique(folds):
        inside = folds == fold
        votes.append(fit_vote(found.some(~inside)))
        confidences[inside], correct[inside] = found.some(inside).answers(votes[-1])
    return tuple(votes), confidences, correct


def deal_into_folds(groups: IntArray, *, seed: int) -> IntArray:
    """Return each query's fold, `[Q]`: groups are dealt out whole, largest first and each to the smallest of 5 folds.

    Args:
        groups: `[Q]`, what must not be divided, such as a number for each patient.
        seed: Of the order in which equally large groups are dealt.
    """
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng([seed, _FOLD_STREAM]).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(FOLDS, dtype=np.intp)
    fold_of_name = np.zeros(len(names), dtype=np.intp)
    for name in order:
        fold = int(np.argmin(filled))
        fold_of_name[name] = fold
        filled[fold] += sizes[name]
    found: IntArray = fold_of_name[np.searchsorted(names, groups)]
    return found


class _Likelihood:
    """How likely a temperature makes what is so, as a function of s = a / (1 + a): (1 - s) shares + s uniform."""

    def __init__(self, found: LabeledNeighbors, *, temperature: float) -> None:
        shares = label_confidences(found.scores, found.has_label, vote=Vote(temperature))
        queries, count = found.truth.shape
        several = bool((found.has_label.sum(axis=-1) > 1).any() or (found.truth.sum(axis=1) > 1).any())
        if several:
            # The imagined query: one label is true, and all items carry another one.
            true, shares = np.vstack([found.truth, np.eye(count)[:1] > 0]), np.vstack([shares, np.eye(count)[-1:]])
            self._shares = np.where(true, shares, 1 - shares).ravel()
            self._uniform = np.where(true, 1 / count, 1 - 1 / count).ravel()
        else:
            rows, labels = np.nonzero(found.truth)
            self._shares = np.append(shares[rows, labels], 0.0)
            self._uniform = np.full(queries + 1, 1 / count)
        self._weights = np.full(self._shares.size, 1 / self._shares.size)

    def loss(self, share: float) -> float:
        return float(self._weights @ -np.log(self._likely(share)))

    def slope(self, share: float) -> float:
        return float(self._weights @ ((self._shares - self._uniform) / self._likely(share)))

    def _likely(self, share: float) -> Float64Array:
        likely: Float64Array = np.maximum((1 - share) * self._shares + share * self._uniform, LEAST_CONFIDENCE)
        return likely


def _best_smoothing(likelihood: _Likelihood) -> tuple[float, float]:
    """Return the s at which the loss is lowest, and the loss."""
    low = LOWEST_PSEUDO_COUNT / (1 + LOWEST_PSEUDO_COUNT)
    high = HIGHEST_PSEUDO_COUNT / (1 + HIGHEST_PSEUDO_COUNT)
    if likelihood.slope(low) >= 0:
        return low, likelihood.loss(low)
    if likelihood.slope(high) <= 0:
        return high, likelihood.loss(high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if likelihood.slope(middle) < 0:
            low = middle
        else:
            high = middle
    share = (low + high) / 2
    return share, likelihood.loss(share)


def _lowest(loss: Callable[[float], float]) -> float:
    grid = np.linspace(np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE), _GRID)
    losses = np.array([loss(float(point)) for point in grid])
    if losses.max() - losses.min() < _SAME:
        return float(np.log(UNFITTED.temperature))
    best = int(np.argmin(losses))
    refined = _golden_section(loss, float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _GRID - 1)]))
    return refined if loss(refined) < losses[best] else float(grid[best])


def _golden_section(loss: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(_STEPS):
        width = _GOLDEN * (high - low)
        left, right = high - width, low + width
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return (low + high) / 2
