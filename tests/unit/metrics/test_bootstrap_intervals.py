import numpy as np
import pytest

from xmirad.metrics.bootstrap import bootstrap_interval, estimates, macro_estimates, resampled_means


def test_equal_seeds_give_equal_intervals_and_other_seeds_others() -> None:
    values = np.random.default_rng(0).random(50)
    first = bootstrap_interval(values, seed=1)
    assert first == bootstrap_interval(values, seed=1)
    assert first != bootstrap_interval(values, seed=2)
    assert first.value == pytest.approx(values.mean())
    assert first.low < first.value < first.high


def test_the_interval_has_the_width_that_the_normal_approximation_says() -> None:
    values = np.random.default_rng(3).normal(0.5, 0.2, size=400)
    estimate = bootstrap_interval(values, seed=0)
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.1)
    assert estimate.value - estimate.low == pytest.approx(half, rel=0.1)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(5)
    trials = [bootstrap_interval(generator.random(60), seed=trial, resamples=400) for trial in range(200)]
    covered = sum(trial.low <= 0.5 <= trial.high for trial in trials)
    assert 178 <= covered <= 199  # 0.95 of 200, four standard deviations to each side at most


def test_a_constant_has_no_width() -> None:
    estimate = bootstrap_interval([0.5, 0.5, 0.5], seed=0)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.5, 0.5)


def test_all_figures_of_a_draw_come_from_the_same_queries() -> None:
    values = np.random.default_rng(0).random((30, 1))
    draws = resampled_means(np.hstack([values, 2 * values]), seed=7)
    np.testing.assert_allclose(draws[:, 1], 2 * draws[:, 0])


def test_many_queries_are_drawn_in_pieces_of_bounded_memory() -> None:
    values = np.random.default_rng(0).random((50_000, 1))
    draws = resampled_means(values, seed=0, resamples=200)
    assert draws.shape == (200, 1)
    assert draws.std() == pytest.approx(values.std() / np.sqrt(50_000), rel=0.2)


def test_the_macro_mean_counts_every_class_the_same() -> None:
    small, large = np.ones((2, 1)), np.zeros((98, 1))
    (macro,) = macro_estimates([small, large], seed=0)
    (micro,) = estimates(np.vstack([small, large]), seed=0)
    assert (macro.value, macro.low, macro.high) == (0.5, 0.5, 0.5)
    assert micro.value == pytest.approx(0.02)


def test_no_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="no queries"):
        bootstrap_interval([], seed=0)
    with pytest.raises(ValueError, match="no classes"):
        macro_estimates([], seed=0)
