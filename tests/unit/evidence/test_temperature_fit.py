import math

import numpy as np
import pytest

from xmirad.evidence import fit_temperature, label_confidences
from xmirad.evidence.temperature import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE
from xmirad.evidence.voting import BoolArray, Float64Array

Sample = tuple[Float64Array, BoolArray, BoolArray]


def drawn_with(temperature: float, *, queries: int = 4000, seed: int = 0) -> Sample:
    """Draw queries whose true label is the label of a neighbor drawn with the vote's own weights."""
    generator = np.random.default_rng(seed)
    scores = np.sort(generator.uniform(0.5, 0.9, (queries, 10)))[:, ::-1]
    has_label = np.eye(3, dtype=bool)[generator.integers(0, 3, (queries, 10))]
    confidences = label_confidences(scores, has_label, temperature=temperature)
    true = [generator.choice(3, p=each / each.sum()) for each in confidences]
    return scores, has_label, np.eye(3, dtype=bool)[true]


def slow_loss(sample: Sample, temperature: float) -> float:
    total = 0.0
    for scores, has_label, truth in zip(*sample, strict=True):
        confidences = label_confidences(scores, has_label, temperature=temperature)
        own = [-math.log(max(float(confidences[label]), 1e-6)) for label in np.flatnonzero(truth)]
        total += sum(own) / len(own)
    return total / len(sample[0])


@pytest.mark.parametrize("temperature", [0.03, 0.1, 0.3])
def test_the_temperature_that_data_was_drawn_with_is_found_again(temperature: float) -> None:
    assert fit_temperature(*drawn_with(temperature)) == pytest.approx(temperature, rel=0.15)


def test_no_temperature_of_a_dense_grid_does_better() -> None:
    sample = drawn_with(0.08, queries=60, seed=3)
    best = slow_loss(sample, fit_temperature(*sample))
    grid = np.geomspace(LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE, 200)
    assert best <= min(slow_loss(sample, float(each)) for each in grid) + 1e-9


def test_nearest_items_that_are_always_right_give_the_lowest_temperature() -> None:
    scores = np.tile([0.9, 0.8, 0.8], (30, 1))
    has_label = np.tile([[True, False], [False, True], [False, True]], (30, 1, 1))
    temperature = fit_temperature(scores, has_label, np.tile([True, False], (30, 1)))
    assert label_confidences(scores[0], has_label[0], temperature=temperature)[0] > 0.999


def test_scores_that_mislead_give_the_highest_temperature() -> None:
    scores = np.tile([0.9, 0.2], (30, 1))
    has_label = np.tile([[True, False], [False, True]], (30, 1, 1))
    assert fit_temperature(scores, has_label, np.tile([False, True], (30, 1))) == pytest.approx(HIGHEST_TEMPERATURE)


def test_where_every_temperature_does_as_well_nothing_is_scaled() -> None:
    has_label = np.ones((5, 3, 1), bool)
    assert fit_temperature(np.full((5, 3), 0.7), has_label, np.ones((5, 1), bool)) == 1.0
    nowhere = np.zeros((5, 3, 2), bool)
    nowhere[..., 0] = True
    assert fit_temperature(np.full((5, 3), 0.7), nowhere, np.tile([False, True], (5, 1))) == 1.0


def test_queries_without_a_label_change_nothing() -> None:
    scores, has_label, truth = drawn_with(0.1, queries=200)
    unlabeled = np.zeros((50, 3), bool)
    more = (
        np.concatenate([scores, scores[:50]]),
        np.concatenate([has_label, has_label[:50]]),
        np.concatenate([truth, unlabeled]),
    )
    assert fit_temperature(*more) == fit_temperature(scores, has_label, truth)


def test_what_cannot_be_fitted_is_refused() -> None:
    scores, has_label, truth = drawn_with(0.1, queries=20)
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_temperature(scores, has_label, np.zeros_like(truth))
    with pytest.raises(ValueError, match="go together"):
        fit_temperature(scores, has_label, truth[:10])
    with pytest.raises(ValueError, match="go together"):
        fit_temperature(scores[0], has_label[0], truth[0])
    with pytest.raises(ValueError, match="number"):
        fit_temperature(np.full_like(scores, np.nan), has_label, truth)


def test_labels_that_farther_items_carry_do_not_become_sure_where_items_carry_several() -> None:
    near = np.eye(3, dtype=bool)[np.arange(30) % 3]
    has_label = np.ones((30, 10, 3), dtype=bool)
    has_label[:, 0] = near  # the nearest item carries the one true label, all others carry all
    scores = np.tile(np.concatenate([[0.9], np.full(9, 0.6)]), (30, 1))
    temperature = fit_temperature(scores, has_label, near)
    confidences = label_confidences(scores[0], has_label[0], temperature=temperature)
    assert temperature < 0.2
    assert confidences[near[0]].min() > 0.99
    assert confidences[~near[0]].max() < 0.3
