from dataclasses import replace

import numpy as np
import pytest

from support.fake_explaining_client import EXACT
from xmirad.figures.sanity import (
    MOST_OTHER_PAIRS,
    OTHER_PAIRS,
    OTHER_PAIRS_RANDOM,
    RANK_CORRELATION,
    SAME_PAIR,
    SSIM,
    MapPair,
    compared,
    relative,
)
from xmirad.metrics.ssim import ssim
from xmirad.types import Float32Array


def field(seed: int) -> Float32Array:
    return np.random.default_rng(seed).random((20, 20), dtype=np.float32)


def pair(result: str, trained: Float32Array, random: Float32Array) -> MapPair:
    return MapPair(result, replace(EXACT, values=trained), replace(EXACT, values=random))


def values(pairs: list[MapPair], measure: str, against: str) -> list[float]:
    found = {(each.measure, each.against): each for each in compared(pairs, seed=0)}
    return [float(value) for value in found[measure, against].values]


def test_maps_that_ignore_the_weights_are_wholly_alike_and_those_of_other_images_are_not() -> None:
    pairs = [pair(f"r{seed}", field(seed), 7 * field(seed)) for seed in range(4)]
    for measure in (SSIM, RANK_CORRELATION):
        assert values(pairs, measure, SAME_PAIR) == pytest.approx([1.0] * 4)
        assert max(values(pairs, measure, OTHER_PAIRS)) < 0.3
        assert len(values(pairs, measure, OTHER_PAIRS)) == len(values(pairs, measure, OTHER_PAIRS_RANDOM)) == 6


def test_maps_are_compared_as_they_are_drawn_by_their_own_maximum() -> None:
    pairs = [pair("a", 5 * field(1), 0.1 * field(2))]
    assert values(pairs, SSIM, SAME_PAIR) == [pytest.approx(ssim(relative(field(1)), relative(field(2))), abs=1e-5)]


def test_two_maps_on_one_image_are_no_other_pair() -> None:
    pairs = [pair("same", field(1), field(2)), pair("same", field(1), field(2)), pair("other", field(3), field(4))]
    assert len(values(pairs, SSIM, OTHER_PAIRS)) == 2


def test_a_map_of_zeros_has_no_rank_correlation_and_is_counted() -> None:
    pairs = [pair("a", np.zeros((20, 20), np.float32), field(2)), pair("b", field(3), field(4))]
    found = {(each.measure, each.against): each for each in compared(pairs, seed=0)}
    assert found[RANK_CORRELATION, SAME_PAIR].undefined == 1
    assert len(found[RANK_CORRELATION, SAME_PAIR].values) == 1
    assert found[SSIM, SAME_PAIR].undefined == 0


def test_of_very_many_other_pairs_some_are_drawn_by_the_seed() -> None:
    pairs = [pair(f"r{seed}", field(seed), field(seed + 100)) for seed in range(30)]
    assert len(values(pairs, SSIM, OTHER_PAIRS)) == MOST_OTHER_PAIRS
    assert values(pairs, SSIM, OTHER_PAIRS) == values(pairs, SSIM, OTHER_PAIRS)


def test_one_pair_has_nothing_to_be_held_against() -> None:
    assert values([pair("a", field(1), field(2))], SSIM, OTHER_PAIRS) == []
