import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.evidence import distance_threshold, distance_to_nearest
from xmirad.evidence.distances import FeatureReference
from xmirad.types import Float32Array

unhurried = settings(deadline=None)  # a busy machine is no error


@unhurried
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=25), st.integers(1, 12))
def test_the_distance_equals_the_slow_oracle(scores: list[float], neighbors: int) -> None:
    nearest = sorted(scores, reverse=True)[:neighbors]
    expected = sum(1 - each for each in nearest) / len(nearest)
    assert distance_to_nearest([scores], neighbors=neighbors)[0] == pytest.approx(expected)


def test_items_that_are_not_there_are_not_averaged() -> None:
    found = distance_to_nearest([[0.9, 0.7, -np.inf], [-np.inf] * 3])
    assert found[0] == pytest.approx(0.2)
    assert math.isnan(found[1])


def test_a_twentieth_of_the_validation_queries_is_beyond_the_threshold() -> None:
    distances = np.random.default_rng(0).permutation(np.linspace(0.1, 0.5, 200))
    assert np.count_nonzero(distances > distance_threshold(distances)) == 10


def test_queries_without_neighbors_do_not_move_the_threshold() -> None:
    assert distance_threshold([0.1, 0.3, math.nan]) == distance_threshold([0.1, 0.3])


def test_distances_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        distance_to_nearest([[0.5]], neighbors=0)
    with pytest.raises(ValueError, match="rows"):
        distance_to_nearest([0.5])
    with pytest.raises(ValueError, match="rows"):
        distance_to_nearest([[math.nan]])
    with pytest.raises(ValueError, match="no distance"):
        distance_threshold([math.nan])


def slow_distance(features: Float32Array, others: Float32Array) -> float:
    cosines = sorted(
        (float(features @ each) / float(np.linalg.norm(features) * np.linalg.norm(each)) for each in others),
        reverse=True,
    )
    return sum(1 - cosine for cosine in cosines[:10]) / 10


def test_distances_to_a_reference_equal_the_slow_loop() -> None:
    features = np.random.default_rng(4).normal(1.0, 1.0, (40, 16)).astype(np.float32)
    reference = FeatureReference.of(features)
    query = np.random.default_rng(5).normal(1.0, 1.0, 16).astype(np.float32)
    assert reference.distance(query) == pytest.approx(slow_distance(query, features), abs=1e-3)  # float16
    expected = [slow_distance(features[at], np.delete(features, at, axis=0)) for at in range(40)]
    assert reference.own_distances().tolist() == pytest.approx(expected, abs=1e-3)
    assert len(reference.rows) == 40 * 16 * 2


@pytest.mark.parametrize("count", [10, 513])
def test_a_reference_of_too_few_or_too_many_images_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"11 to 512"):
        FeatureReference.of(np.ones((count, 4), np.float32))
