import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.evidence.fitting import (
    FOLDS,
    HIGHEST_PSEUDO_COUNT,
    HIGHEST_TEMPERATURE,
    LOWEST_PSEUDO_COUNT,
    LOWEST_TEMPERATURE,
    LabeledNeighbors,
    bound_reached,
    deal_into_folds,
    fit_vote,
    held_out_answers,
    mean_loss,
)
from xmirad.evidence.voting import UNFITTED, Vote, label_confidences

FEW = settings(deadline=None, max_examples=15)
EYE = np.eye(3, dtype=bool)


def drawn_with(vote: Vote, *, queries: int = 2000, seed: int = 0) -> LabeledNeighbors:
    """Draw queries whose true label is drawn with the vote's own confidences."""
    generator = np.random.default_rng(seed)
    scores = np.sort(generator.uniform(0.5, 0.9, (queries, 10)))[:, ::-1]
    has_label = EYE[generator.integers(0, 3, (queries, 10))]
    confidences = label_confidences(scores, has_label, vote=vote)
    true = [generator.choice(3, p=each / each.sum()) for each in confidences]
    return LabeledNeighbors(scores, has_label, EYE[true])


def unanimous(right: int, wrong: int) -> LabeledNeighbors:
    """Return queries whose ten neighbors all agree."""
    has_label = np.tile([True, False, False], (right + wrong, 10, 1))
    truth = np.repeat([[True, False, False], [False, True, False]], [right, wrong], axis=0)
    return LabeledNeighbors(np.full((right + wrong, 10), 0.8), has_label, truth)


def slow_loss(found: LabeledNeighbors, temperature: float, pseudo_count: float) -> float:
    """Return the mean of -ln(confidence) of the true label, one query after the other, and of one imagined error."""
    count, total = found.truth.shape[1], 0.0
    for scores, has_label, truth in zip(found.scores, found.has_label, found.truth, strict=True):
        weights = [math.exp((score - max(scores)) / temperature) for score in scores]
        own = int(np.flatnonzero(truth)[0])
        share = sum(weight for weight, labels in zip(weights, has_label, strict=True) if labels[own]) / sum(weights)
        total -= math.log((share + pseudo_count / count) / (1 + pseudo_count))
    imagined = -math.log((pseudo_count / count) / (1 + pseudo_count))  # neighbors that all agree and are wrong
    return (total + imagined) / (len(found) + 1)


@pytest.mark.parametrize("vote", [Vote(0.03, 0.1), Vote(0.1, 0.5), Vote(0.3, 2.0)])
def test_the_vote_that_data_was_drawn_with_is_found_again(vote: Vote) -> None:
    drawn = drawn_with(vote)
    found = fit_vote(drawn)
    sure, wanted = (label_confidences(drawn.scores, drawn.has_label, vote=each) for each in (found, vote))
    print(f"{found} for {vote}: confidences differ by {np.abs(sure - wanted).mean():.4f} in the mean")
    assert np.abs(sure - wanted).mean() < 0.03
    assert bound_reached(found) == ""


@pytest.mark.parametrize("seed", range(2))
def test_no_point_of_a_slow_grid_does_better(seed: int) -> None:
    found = drawn_with(Vote(0.08, 0.3), queries=30, seed=seed)
    best = fit_vote(found)
    fitted = slow_loss(found, best.temperature, best.pseudo_count)
    assert fitted == pytest.approx(mean_loss(found, best), abs=1e-9)
    grid = [
        slow_loss(found, float(temperature), float(pseudo_count))
        for temperature in np.geomspace(LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE, 21)
        for pseudo_count in np.geomspace(LOWEST_PSEUDO_COUNT, HIGHEST_PSEUDO_COUNT, 13)
    ]
    print(f"fitted {fitted:.6f}, best of the grid {min(grid):.6f}")
    assert fitted <= min(grid) + 1e-6


@FEW
@given(st.integers(0, 10_000), st.integers(20, 60), st.sampled_from([0.02, 0.2, 2.0]))
def test_a_fit_is_within_its_bounds_and_no_worse_than_the_vote_as_it_is(
    seed: int, queries: int, pseudo_count: float
) -> None:
    found = drawn_with(Vote(0.1, pseudo_count), queries=queries, seed=seed)
    vote = fit_vote(found)
    assert LOWEST_TEMPERATURE <= vote.temperature <= HIGHEST_TEMPERATURE
    assert LOWEST_PSEUDO_COUNT <= vote.pseudo_count <= HIGHEST_PSEUDO_COUNT
    assert mean_loss(found, vote) <= mean_loss(found, Vote(1.0, LOWEST_PSEUDO_COUNT)) + 1e-6
    for near in (vote.pseudo_count * 0.9, min(vote.pseudo_count * 1.1, HIGHEST_PSEUDO_COUNT)):
        assert mean_loss(found, vote) <= mean_loss(found, Vote(vote.temperature, near)) + 1e-6


@FEW
@given(st.integers(0, 10_000), st.floats(0.001, 10), st.floats(0.001, 0.99), st.floats(0.001, 0.99), st.floats(0, 1))
def test_the_loss_is_convex_in_the_share_of_the_pseudo_count(
    seed: int, temperature: float, one: float, other: float, between: float
) -> None:
    found = drawn_with(Vote(0.1, 0.3), queries=20, seed=seed)

    def loss(share: float) -> float:
        return mean_loss(found, Vote(temperature, share / (1 - share)))

    middle = between * one + (1 - between) * other
    assert loss(middle) <= between * loss(one) + (1 - between) * loss(other) + 1e-9


@pytest.mark.parametrize(("right", "wrong"), [(90, 10), (60, 40), (19, 1), (30, 0)])
def test_neighbors_that_all_agree_are_as_sure_as_such_are_right_with_one_more_error(right: int, wrong: int) -> None:
    found = unanimous(right, wrong)
    vote = fit_vote(found)
    assert vote.temperature == 1.0  # no temperature does better or worse
    confidence = label_confidences(found.scores[0], found.has_label[0], vote=vote)[0]
    assert confidence == pytest.approx(right / (right + wrong + 1), abs=1e-4)
    assert bound_reached(vote) == ""


def test_nearest_items_that_are_always_right_give_the_lowest_temperature() -> None:
    scores = np.tile([0.9, 0.8, 0.8], (30, 1))
    has_label = np.tile([[True, False], [False, True], [False, True]], (30, 1, 1))
    vote = fit_vote(LabeledNeighbors(scores, has_label, np.tile([True, False], (30, 1))))
    assert label_confidences(scores[0], has_label[0], vote=vote)[0] > 0.95
    assert vote.temperature < 0.05


def test_neighbors_that_say_nothing_end_at_a_bound() -> None:
    generator = np.random.default_rng(1)
    scores = np.sort(generator.uniform(0.5, 0.9, (400, 10)))[:, ::-1]
    found = LabeledNeighbors(scores, EYE[generator.integers(0, 3, (400, 10))], EYE[generator.integers(0, 3, 400)])
    assert bound_reached(fit_vote(found))


@pytest.mark.parametrize(
    ("vote", "told"),
    [
        (Vote(HIGHEST_TEMPERATURE, 1.0), "temperature is at its highest"),
        (Vote(LOWEST_TEMPERATURE, 1.0), "temperature is at its lowest"),
        (Vote(0.1, HIGHEST_PSEUDO_COUNT), "pseudo-count is at its highest"),
        (Vote(0.1, LOWEST_PSEUDO_COUNT), "pseudo-count is at its lowest"),
        (Vote(9.0, 90.0), ""),
        (Vote(0.0011, 0.0011), ""),
    ],
)
def test_a_fit_at_its_bound_is_told_by_which(vote: Vote, told: str) -> None:
    assert told in bound_reached(vote)
    assert bool(told) is bool(bound_reached(vote))


def test_queries_without_a_label_change_nothing() -> None:
    found = drawn_with(Vote(0.1, 0.3), queries=200)
    more = LabeledNeighbors(
        np.concatenate([found.scores, found.scores[:50]]),
        np.concatenate([found.has_label, found.has_label[:50]]),
        np.concatenate([found.truth, np.zeros((50, 3), bool)]),
    )
    assert fit_vote(more) == fit_vote(found)


def test_what_cannot_be_fitted_is_refused() -> None:
    found = drawn_with(Vote(0.1, 0.3), queries=20)
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_vote(LabeledNeighbors(found.scores, found.has_label, np.zeros_like(found.truth)))
    with pytest.raises(ValueError, match="go together"):
        LabeledNeighbors(found.scores, found.has_label, found.truth[:10])
    with pytest.raises(ValueError, match="go together"):
        LabeledNeighbors(found.scores[0], found.has_label[0], found.truth[0])
    with pytest.raises(ValueError, match="number"):
        fit_vote(LabeledNeighbors(np.full_like(found.scores, np.nan), found.has_label, found.truth))


def test_labels_that_farther_items_carry_do_not_become_sure_where_items_carry_several() -> None:
    near = EYE[np.arange(30) % 3]
    has_label = np.ones((30, 10, 3), dtype=bool)
    has_label[:, 0] = near  # the nearest item carries the one true label, all others carry all
    scores = np.tile(np.concatenate([[0.9], np.full(9, 0.6)]), (30, 1))
    vote = fit_vote(LabeledNeighbors(scores, has_label, near))
    confidences = label_confidences(scores[0], has_label[0], vote=vote)
    assert vote.temperature < 0.2
    assert confidences[near[0]].min() > 0.9
    assert confidences[~near[0]].max() < 0.3


@FEW
@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), st.integers(0, 9))
def test_folds_divide_no_group_and_are_about_equally_large(groups: list[int], seed: int) -> None:
    folds = deal_into_folds(np.array(groups), seed=seed)
    assert {len(set(folds[np.array(groups) == group])) for group in groups} == {1}
    sizes = np.bincount(folds, minlength=FOLDS)
    assert sizes.max() - sizes.min() <= max(groups.count(group) for group in groups)
    assert folds.tolist() == deal_into_folds(np.array(groups), seed=seed).tolist()


def test_held_out_answers_do_not_depend_on_the_labels_of_their_own_fold() -> None:
    found = drawn_with(Vote(0.1, 0.3), queries=100)
    folds = deal_into_folds(np.arange(100), seed=0)
    inside = folds == 0
    truth = found.truth.copy()
    truth[inside] = np.roll(truth[inside], 1, axis=1)
    votes, confidences, _ = held_out_answers(found, folds)
    others, changed, correct = held_out_answers(LabeledNeighbors(found.scores, found.has_label, truth), folds)
    assert votes[0] == others[0]
    assert confidences[inside].tolist() == changed[inside].tolist()
    assert correct.tolist() != found.answers(UNFITTED)[1].tolist()
