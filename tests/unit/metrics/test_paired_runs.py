import itertools

import numpy as np
import pytest

from xmirad.metrics.pairing import paired_differences


def runs(shift: float, *, queries: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    hardness = generator.uniform(0, 0.8, size=queries)
    first = hardness + generator.normal(0, 0.05, size=queries)
    return first[:, None], (hardness + shift + generator.normal(0, 0.05, size=queries))[:, None]


def slow_p_value(first: np.ndarray, second: np.ndarray, *, resamples: int) -> float:
    """Turn the sign of each difference or not, one by one, and count what lies as far out."""
    generator = np.random.default_rng(99)
    differences = (second - first)[:, 0].tolist()
    found = abs(sum(differences))
    extreme = 0
    for _ in range(resamples):
        drawn = sum(value if generator.random() < 0.5 else -value for value in differences)
        extreme += abs(drawn) >= found
    return (extreme + 1) / (resamples + 1)


@pytest.mark.parametrize("queries", [1, 2, 3, 5, 10])
def test_few_queries_have_the_share_of_all_sign_patterns_that_lie_as_far_out(queries: int) -> None:
    first, second = runs(0.02, queries=queries)
    (paired,) = paired_differences(first, second, seed=1)
    differences = (second - first)[:, 0]
    patterns = [np.sum(differences * signs) for signs in itertools.product([1, -1], repeat=queries)]
    assert paired.p_value == np.mean(np.abs(patterns) >= abs(differences.sum()) - 1e-12)
    assert paired.p_value >= 2 / 2**queries


@pytest.mark.parametrize("queries", [5, 10, 25])
def test_few_queries_without_a_difference_are_not_significant_more_often_than_said(queries: int) -> None:
    p_values = [paired_differences(*runs(0.0, queries=queries, seed=s), seed=s)[0].p_value for s in range(150)]
    assert np.mean(np.array(p_values) < 0.05) < 0.11


@pytest.mark.parametrize("shift", [0.0, 0.005, 0.01])
def test_the_p_value_is_that_of_the_slow_oracle(shift: float) -> None:
    first, second = runs(shift)
    (paired,) = paired_differences(first, second, seed=1, resamples=4000)
    assert paired.p_value == pytest.approx(slow_p_value(first, second, resamples=4000), abs=0.03)


def test_pairing_sees_a_difference_that_the_spread_of_queries_hides() -> None:
    first, second = runs(0.02)
    (paired,) = paired_differences(first, second, seed=1)
    assert paired.p_value < 0.01
    assert 0 < paired.difference.low < paired.difference.value < paired.difference.high
    assert paired.difference.value == pytest.approx(float(np.mean(second) - np.mean(first)))
    assert np.std(first) > 5 * paired.difference.value


def test_equal_runs_differ_by_nothing_for_certain() -> None:
    first, _ = runs(0.0)
    (paired,) = paired_differences(first, first, seed=1)
    assert (paired.difference.value, paired.difference.low, paired.difference.high) == (0, 0, 0)
    assert paired.p_value == 1


def test_p_values_of_equal_runs_with_noise_are_spread_evenly() -> None:
    p_values = [
        paired_differences(*runs(0.0, queries=60, seed=seed), seed=seed, resamples=200)[0].p_value
        for seed in range(200)
    ]
    share = float(np.mean(np.array(p_values) < 0.1))
    print(f"share of p < 0.1 without a difference: {share:.3f}")
    assert 0.05 < share < 0.17


def test_the_order_of_the_runs_turns_the_sign_and_nothing_else() -> None:
    first, second = runs(0.02)
    (forth,) = paired_differences(first, second, seed=1)
    (back,) = paired_differences(second, first, seed=1)
    assert back.difference.value == -forth.difference.value
    assert back.difference.low == pytest.approx(-forth.difference.high)
    assert back.p_value == forth.p_value


def test_runs_of_different_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        paired_differences(np.zeros((3, 1)), np.zeros((4, 1)), seed=0)
    with pytest.raises(ValueError, match="no queries"):
        paired_differences(np.zeros((0, 1)), np.zeros((0, 1)), seed=0)
