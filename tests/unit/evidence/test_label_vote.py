import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.evidence import Vote, label_confidences

unhurried = settings(deadline=None)  # a busy machine is no error
neighbors = st.lists(
    st.tuples(st.floats(-1, 1), st.tuples(st.booleans(), st.booleans(), st.booleans())), min_size=1, max_size=12
)


def slow_confidences(
    found: list[tuple[float, tuple[bool, ...]]], temperature: float, pseudo_count: float = 0.0, label_count: int = 3
) -> list[float]:
    total, by_label = 0.0, [0.0] * len(found[0][1])
    for score, labels in found:
        if not any(labels):
            continue
        weight = math.exp(score / temperature)
        total += weight
        for place, carries in enumerate(labels):
            by_label[place] += weight * carries
    if not total:
        return [0.0] * len(by_label)
    return [(each / total + pseudo_count / label_count) / (1 + pseudo_count) for each in by_label]


@unhurried
@given(neighbors, st.floats(0.01, 10))
def test_the_vote_equals_the_slow_oracle(found: list[tuple[float, tuple[bool, ...]]], temperature: float) -> None:
    scores, labels = zip(*found, strict=True)
    confidences = label_confidences(scores, labels, vote=Vote(temperature))
    assert confidences.tolist() == pytest.approx(slow_confidences(found, temperature), abs=1e-9)


@unhurried
@given(neighbors, st.floats(0.01, 10), st.floats(0, 100), st.integers(3, 9))
def test_the_vote_with_a_pseudo_count_equals_the_slow_oracle(
    found: list[tuple[float, tuple[bool, ...]]], temperature: float, pseudo_count: float, label_count: int
) -> None:
    scores, labels = zip(*found, strict=True)
    confidences = label_confidences(scores, labels, vote=Vote(temperature, pseudo_count), label_count=label_count)
    expected = slow_confidences(found, temperature, pseudo_count, label_count)
    assert confidences.tolist() == pytest.approx(expected, abs=1e-9)


def test_with_a_pseudo_count_not_even_unanimous_neighbors_make_a_label_certain() -> None:
    unanimous = label_confidences([0.9] * 10, [[True]] * 10, vote=Vote(0.1, 0.5), label_count=2)
    assert unanimous.tolist() == pytest.approx([(1 + 0.5 / 2) / 1.5])


def test_confidences_of_single_labels_add_up_to_one() -> None:
    labels = np.eye(3, dtype=bool)[[0, 0, 1, 2]]
    assert label_confidences([0.9, 0.8, 0.7, 0.1], labels, vote=Vote(0.1)).sum() == pytest.approx(1.0)
    assert label_confidences([0.9, 0.8, 0.7, 0.1], labels, vote=Vote(0.1, 2.0)).sum() == pytest.approx(1.0)


def test_an_item_of_two_labels_votes_wholly_for_each() -> None:
    assert label_confidences([0.5, 0.5], [[True, True], [True, False]], vote=Vote(1.0)).tolist() == [1.0, 0.5]


def test_a_low_temperature_lets_the_nearest_decide_and_a_high_one_all_alike() -> None:
    labels = [[True, False], [False, True], [False, True]]
    assert label_confidences([0.9, 0.8, 0.8], labels, vote=Vote(0.001))[0] == pytest.approx(1.0)
    assert label_confidences([0.9, 0.8, 0.8], labels, vote=Vote(1e6))[0] == pytest.approx(1 / 3)


def test_items_without_labels_and_items_that_are_not_there_have_no_vote() -> None:
    labels = [[False, False], [True, False], [False, True]]
    assert label_confidences([0.99, 0.5, -np.inf], labels, vote=Vote(0.1)).tolist() == [1.0, 0.0]
    assert label_confidences([0.99], [[False, False]], vote=Vote(0.1)).tolist() == [0.0, 0.0]
    assert label_confidences([], np.zeros((0, 2), bool), vote=Vote(0.1)).tolist() == [0.0, 0.0]


def test_many_queries_vote_as_each_does_alone() -> None:
    generator = np.random.default_rng(2)
    scores, labels = generator.uniform(-1, 1, (5, 4)), generator.uniform(0, 1, (5, 4, 3)) < 0.4
    together = label_confidences(scores, labels, vote=Vote(0.05))
    alone = [label_confidences(*each, vote=Vote(0.05)) for each in zip(scores, labels, strict=True)]
    assert np.allclose(together, alone)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        label_confidences([0.5], [[True]], vote=Vote(temperature))


@pytest.mark.parametrize("pseudo_count", [-0.1, math.nan, math.inf])
def test_a_pseudo_count_below_zero_is_refused(pseudo_count: float) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        label_confidences([0.5], [[True]], vote=Vote(1.0, pseudo_count))


def test_scores_that_are_no_numbers_or_of_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="number"):
        label_confidences([math.nan], [[True]], vote=Vote(1.0))
    with pytest.raises(ValueError, match="same neighbors"):
        label_confidences([0.5, 0.4], [[True]], vote=Vote(1.0))
    with pytest.raises(ValueError, match="there are 1 labels, and the neighbors carry 2"):
        label_confidences([0.5], [[True, False]], vote=Vote(), label_count=1)
