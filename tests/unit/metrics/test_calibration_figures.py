from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.metrics.calibration import ReliabilityBin, expected_calibration_error, reliability

unhurried = settings(deadline=None)  # a busy machine is no error
answers = st.lists(st.tuples(st.sampled_from([i / 20 for i in range(21)]), st.booleans()), min_size=1, max_size=60)


def slow_bins(pairs: list[tuple[float, bool]], bins: int) -> dict[int, list[tuple[float, bool]]]:
    found: dict[int, list[tuple[float, bool]]] = {}
    for confidence, correct in pairs:
        lower = sum(1 for other, _ in pairs if other < confidence)
        found.setdefault(lower * bins // len(pairs), []).append((confidence, correct))
    return found


def slow_error(pairs: list[tuple[float, bool]], bins: int) -> float:
    error = 0.0
    for members in slow_bins(pairs, bins).values():
        confidence = sum(each for each, _ in members) / len(members)
        accuracy = sum(correct for _, correct in members) / len(members)
        error += len(members) / len(pairs) * abs(confidence - accuracy)
    return error


@unhurried
@given(answers, st.integers(1, 20))
def test_the_error_equals_the_slow_oracle(pairs: list[tuple[float, bool]], bins: int) -> None:
    confidences, correct = zip(*pairs, strict=True)
    assert expected_calibration_error(confidences, correct, bins=bins) == pytest.approx(slow_error(pairs, bins))


@unhurried
@given(answers, st.randoms())
def test_the_bins_do_not_depend_on_the_order_of_the_answers(pairs: list[tuple[float, bool]], random: Random) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    one, other = (reliability(*zip(*each, strict=True)) for each in (pairs, shuffled))
    assert [each.count for each in one] == [each.count for each in other]
    assert [each.accuracy for each in one] == pytest.approx([each.accuracy for each in other])


def test_bins_hold_equally_many_answers_where_no_two_are_equal() -> None:
    confidences = np.random.default_rng(0).permutation(np.linspace(0, 1, 150))
    found = reliability(confidences, confidences > 0.5)
    assert [each.count for each in found] == [10] * 15
    assert found[0].confidence < found[-1].confidence


def test_equal_confidences_share_a_bin() -> None:
    found = reliability([0.5] * 40, [True] * 10 + [False] * 30)
    assert found == (ReliabilityBin(0.5, 0.25, 40),)
    assert expected_calibration_error([0.5] * 40, [True] * 10 + [False] * 30) == pytest.approx(0.25)


def test_certainty_that_is_always_right_has_no_error_and_one_that_is_always_wrong_has_all() -> None:
    assert expected_calibration_error(np.ones(50), np.ones(50, bool)) == 0.0
    assert expected_calibration_error(np.ones(50), np.zeros(50, bool)) == 1.0


def test_confidences_that_are_true_have_a_small_error() -> None:
    generator = np.random.default_rng(1)
    confidences = generator.uniform(0, 1, 20_000)
    correct = generator.uniform(0, 1, 20_000) < confidences
    assert expected_calibration_error(confidences, correct) < 0.02
    assert expected_calibration_error(np.sqrt(confidences), correct) > 0.1


@pytest.mark.parametrize(
    ("confidences", "correct", "bins"),
    [([], [], 15), ([0.5], [True, False], 15), ([1.5], [True], 15), ([float("nan")], [True], 15), ([0.5], [True], 0)],
)
def test_what_cannot_be_binned_is_refused(confidences: list[float], correct: list[bool], bins: int) -> None:
    with pytest.raises(ValueError, match=r"needed|must be"):
        reliability(confidences, correct, bins=bins)
