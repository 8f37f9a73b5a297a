"""Silhouettes and trustworthiness against scikit-learn."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.manifold import trustworthiness as reference_trustworthiness
from sklearn.metrics import silhouette_samples

from xmirad.metrics.distances import distances_between
from xmirad.metrics.silhouettes import silhouettes
from xmirad.metrics.trustworthiness import trustworthiness

Float64Array = npt.NDArray[np.float64]


def points(seed: int, count: int = 40, width: int = 6) -> Float64Array:
    return np.random.default_rng(seed).normal(size=(count, width))


def test_distances_are_those_of_the_slow_definition() -> None:
    some = points(0, count=9)
    slow = [[float(np.linalg.norm(one - other)) for other in some] for one in some]
    assert distances_between(some) == pytest.approx(np.array(slow))
    assert (np.diag(distances_between(some)) == 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_silhouettes_are_those_of_scikit_learn(seed: int) -> None:
    some = points(seed)
    classes = np.random.default_rng(seed + 100).integers(0, 4, size=len(some))
    distances = distances_between(some)
    assert silhouettes(distances, classes) == pytest.approx(
        silhouette_samples(distances, classes, metric="precomputed")
    )


def test_a_class_of_one_point_has_the_silhouette_zero() -> None:
    assert silhouettes(distances_between(points(1, count=3)), [0, 0, 7])[2] == 0.0


def test_equal_points_of_two_classes_have_the_silhouette_zero() -> None:
    assert silhouettes(np.zeros((4, 4)), [0, 0, 1, 1]) == pytest.approx(np.zeros(4))


def test_one_class_has_no_silhouettes() -> None:
    with pytest.raises(ValueError, match="two classes"):
        silhouettes(np.zeros((2, 2)), [3, 3])


@pytest.mark.parametrize("neighbors", [1, 5, 19])
def test_trustworthiness_is_that_of_scikit_learn(neighbors: int) -> None:
    some = points(2)
    shown = points(3, width=2)
    found = trustworthiness(distances_between(some), distances_between(shown), neighbors=neighbors)
    assert found == pytest.approx(reference_trustworthiness(some, shown, n_neighbors=neighbors))


def test_a_faithful_picture_is_trusted_wholly() -> None:
    flat = points(4, width=2)
    assert trustworthiness(distances_between(flat), distances_between(3 * flat)) == 1.0


@pytest.mark.parametrize("neighbors", [0, 20])
def test_a_number_of_neighbors_beyond_the_definition_is_refused(neighbors: int) -> None:
    with pytest.raises(ValueError, match="neighbors"):
        trustworthiness(np.zeros((40, 40)), np.zeros((40, 40)), neighbors=neighbors)
