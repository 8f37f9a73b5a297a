import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from support.saliency import slow_map, slow_windows
from xmirad.saliency.aggregation import aggregated, aggregated_deviations, coverage
from xmirad.saliency.lattice import WindowLattice

unhurried = settings(deadline=None)
lattices = st.integers(1, 9).flatmap(
    lambda window: st.builds(
        WindowLattice, size=st.integers(window, 24), window=st.just(window), stride=st.integers(1, window)
    )
)
wide_lattices = st.integers(1, 9).flatmap(
    lambda window: st.builds(
        WindowLattice, size=st.integers(3 * window, 40), window=st.just(window), stride=st.integers(1, window)
    )
)


def random_responses(lattice: WindowLattice, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((lattice.per_axis, lattice.per_axis))


@unhurried
@given(lattices, st.integers(0, 2**32))
def test_the_separable_map_equals_the_loops(lattice: WindowLattice, seed: int) -> None:
    responses = random_responses(lattice, seed)
    np.testing.assert_allclose(aggregated(lattice, responses), slow_map(lattice, responses.ravel()), atol=1e-6)


def test_the_separable_map_equals_the_dense_one_at_full_size() -> None:
    lattice = WindowLattice(size=224)
    responses = random_responses(lattice, 0)
    dense, count = np.zeros((224, 224)), np.zeros((224, 224))
    for response, (top, bottom, left, right) in zip(responses.ravel(), slow_windows(lattice), strict=True):
        dense[top:bottom, left:right] += response
        count[top:bottom, left:right] += 1
    difference = np.abs(aggregated(lattice, responses) - dense / count).max()
    print(f"separable against dense map of 2,401 windows: {difference:.1e}")
    assert difference < 1e-6


@unhurried
@given(lattices, st.floats(-100, 100))
def test_the_map_of_a_constant_is_that_constant(lattice: WindowLattice, constant: float) -> None:
    responses = np.full((lattice.per_axis, lattice.per_axis), constant)
    values = aggregated(lattice, responses)
    mean = np.average(values, weights=coverage(lattice))
    np.testing.assert_allclose([values.min(), mean, values.max()], constant, rtol=1e-6, atol=1e-30)


@unhurried
@given(wide_lattices, st.integers(0, 2**32))
def test_responses_one_window_on_give_the_map_one_stride_on(lattice: WindowLattice, seed: int) -> None:
    responses = random_responses(lattice, seed)
    shifted = np.roll(responses, (1, 1), axis=(0, 1))
    inner = slice(lattice.window, lattice.size - lattice.window)
    moved = slice(inner.start - lattice.stride, inner.stop - lattice.stride)
    before, after = aggregated(lattice, responses), aggregated(lattice, shifted)
    np.testing.assert_allclose(after[inner, inner], before[moved, moved], atol=1e-6)


@unhurried
@given(lattices, st.integers(0, 2**32))
def test_the_map_stays_within_the_responses(lattice: WindowLattice, seed: int) -> None:
    responses = random_responses(lattice, seed)
    values = aggregated(lattice, responses)
    assert responses.min() - 1e-5 <= values.min() <= values.max() <= responses.max() + 1e-5


@unhurried
@given(lattices, st.integers(0, 2**32))
def test_independent_errors_add_up_by_their_squares(lattice: WindowLattice, seed: int) -> None:
    deviations = np.abs(random_responses(lattice, seed))
    mean_variance = slow_map(lattice, deviations.ravel() ** 2)
    expected = np.sqrt(mean_variance / coverage(lattice))
    np.testing.assert_allclose(aggregated_deviations(lattice, deviations), expected, rtol=1e-9)
