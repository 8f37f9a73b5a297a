"""How far maps of trained and of random weights are alike, in numbers.

After J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt and B. Kim, "Sanity checks for saliency maps" (NeurIPS
2018): a map that random weights give as well does not show what was learned. They compare by structural similarity and
rank correlation, as is done here, on maps divided by their maximum. The baseline is ours: maps of one model on other
pairs, which have nothing in common but the model and the method.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from xmirad.client.explanation_types import ExplanationMap
from xmirad.figures.projecting import Float64Array
from xmirad.metrics.rank_correlation import rank_correlation
from xmirad.metrics.ssim import ssim
from xmirad.types import Float32Array

SSIM, RANK_CORRELATION = "ssim", "rank_correlation"
SAME_PAIR, OTHER_PAIRS, OTHER_PAIRS_RANDOM = "same_pair", "other_pairs", "other_pairs_random"
COMPARISONS = (SAME_PAIR, OTHER_PAIRS, OTHER_PAIRS_RANDOM)
MEASURES: Mapping[str, Callable[[Float32Array, Float32Array], float]] = {
    SSIM: ssim,
    RANK_CORRELATION: rank_correlation,
}
MOST_OTHER_PAIRS = 300


@dataclass(frozen=True, slots=True, eq=False)
class MapPair:
    """The maps of both models on one pair of images.

    Attributes:
        result: Name of the explained item; maps on one image are no other pair.
        trained: The map of the evaluated model.
        random: That of random weights.
    """

    result: str
    trained: ExplanationMap
    random: ExplanationMap


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How far some maps are alike.

    Attributes:
        measure: SSIM or RANK_CORRELATION.
        against: SAME_PAIR: trained against random weights, on the same images. OTHER_PAIRS: trained against trained, on
            other images. OTHER_PAIRS_RANDOM: random against random, on other images.
        values: One of each comparison, -1 to 1.
        undefined: How many have none, because a map is the same everywhere.
    """

    measure: str
    against: str
    values: Float64Array
    undefined: int


def compared(pairs: Sequence[MapPair], *, seed: int) -> tuple[Comparison, ...]:
    """Compare maps by every measure.

    Args:
        pairs: The maps.
        seed: Draws from other pairs where there are more than 300.
    """
    trained = [relative(pair.trained.values) for pair in pairs]
    untrained = [relative(pair.random.values) for pair in pairs]
    others = _other_pairs(pairs, seed=seed)
    maps = {
        SAME_PAIR: list(zip(trained, untrained, strict=True)),
        OTHER_PAIRS: [(trained[one], trained[other]) for one, other in others],
        OTHER_PAIRS_RANDOM: [(untrained[one], untrained[other]) for one, other in others],
    }
    return tuple(_comparisons(maps))


def relative(values: Float32Array) -> Float32Array:
    """Return a map divided by its largest absolute value, as it is drawn; a map of zeros stays one."""
    largest = np.abs(values).max()
    return values / largest if largest > 0 else values


def _comparisons(maps: Mapping[str, Sequence[tuple[Float32Array, Float32Array]]]) -> Iterator[Comparison]:
    for name, measure in MEASURES.items():
        for against, couples in maps.items():
            values = np.array([measure(one, other) for one, other in couples], dtype=np.float64)
            defined = values[np.isfinite(values)]
            yield Comparison(name, against, defined, undefined=len(values) - len(defined))


def _other_pairs(pairs: Sequence[MapPair], *, seed: int) -> list[tuple[int, int]]:
    numbers = range(len(pairs))
    others = [(one, other) for one, other in combinations(numbers, 2) if pairs[one].result != pairs[other].result]
    if len(others) <= MOST_OTHER_PAIRS:
        return others
    drawn = np.random.default_rng([seed, 0x5A17]).permutation(len(others))[:MOST_OTHER_PAIRS]
    return [others[number] for number in sorted(drawn)]
