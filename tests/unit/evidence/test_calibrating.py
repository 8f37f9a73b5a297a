from dataclasses import replace

import numpy as np
import pytest

from xmirad.errors import CalibrationRefusedError, InvalidRequestError
from xmirad.evidence.calibration import EvidenceCalibration, Neighborhoods, Provenance, calibrate
from xmirad.evidence.distances import FeatureReference

LABELS = ("benign", "malignant", "nevus", "unused")


def neighborhoods(queries: int = 120, *, accuracy: float = 0.65) -> Neighborhoods:
    """Return queries whose neighbors mostly agree, and are right less often than they agree."""
    generator = np.random.default_rng(5)
    scores = np.sort(generator.uniform(0.5, 0.9, (queries, 10)))[:, ::-1]
    place = generator.integers(0, 3, queries)
    strays = generator.uniform(size=(queries, 10)) < 0.15
    carried = np.where(strays, generator.integers(0, 3, (queries, 10)), place[:, None])
    true = np.where(generator.uniform(size=queries) < accuracy, place, (place + 1) % 3)
    eye = np.eye(4, dtype=bool)
    return Neighborhoods(LABELS, scores, eye[carried], eye[true], np.arange(queries))


def calibrated(
    found: Neighborhoods, *, reference: FeatureReference | None = None, claims_distance: bool = True
) -> EvidenceCalibration:
    provenance = Provenance("m" * 64, "d" * 64, 1.0)
    return calibrate(found, provenance, reference=reference, claims_distance=claims_distance)


def test_calibrating_lowers_the_error_and_says_what_it_was_done_with() -> None:
    found = calibrated(neighborhoods())
    assert found.error_after < found.error_before
    assert found.pseudo_count > 0.2
    assert found.error_after < 0.15 < found.error_before
    assert (found.queries, found.neighbors, found.labels) == (120, 10, LABELS[:3])
    assert (found.label_count, found.folds) == (4, 5)
    assert found.distance_threshold is not None
    assert 0.1 < found.distance_threshold < 0.5


def test_a_twentieth_of_the_queries_is_called_out_of_distribution() -> None:
    found = neighborhoods()
    distances = 1 - found.scores.mean(axis=1)
    threshold = calibrated(found).distance_threshold
    assert threshold is not None
    assert np.mean(distances > threshold) == pytest.approx(0.05, abs=0.02)


def test_queries_that_tell_nothing_are_not_counted() -> None:
    found = neighborhoods()
    has_label, truth = found.has_label.copy(), found.truth.copy()
    has_label[:10] = False
    truth[10:15] = False
    assert calibrated(replace(found, has_label=has_label, truth=truth)).queries == 105


def test_too_few_queries_are_refused_with_the_limit() -> None:
    with pytest.raises(InvalidRequestError, match=r"at least 20 .* there are 19"):
        calibrated(neighborhoods(19))


def test_a_single_label_is_refused_with_the_limit() -> None:
    found = neighborhoods()
    one_label = np.zeros_like(found.truth)
    one_label[:, 0] = True
    with pytest.raises(InvalidRequestError, match=r"at least 2 labels .* there are 1"):
        calibrated(replace(found, truth=one_label))


def test_queries_with_fewer_than_ten_nearest_items_are_not_counted() -> None:
    found = neighborhoods()
    scores = found.scores.copy()
    scores[:40, 3:] = -np.inf
    whole = replace(
        found,
        scores=found.scores[40:],
        has_label=found.has_label[40:],
        truth=found.truth[40:],
        groups=found.groups[40:],
    )
    assert calibrated(replace(found, scores=scores)) == calibrated(whole)
    scores[19:, 9] = -np.inf
    with pytest.raises(InvalidRequestError, match=r"at least 20 .* 10 items nearest to them; there are 0"):
        calibrated(replace(found, scores=scores))


def test_a_single_patient_cannot_be_held_out() -> None:
    found = neighborhoods()
    with pytest.raises(InvalidRequestError, match=r"at least 2 patients .* there are 1"):
        calibrated(replace(found, groups=np.zeros_like(found.groups)))


def test_a_fit_at_its_bound_is_refused_with_all_that_is_to_be_known() -> None:
    found = neighborhoods()
    says_nothing = replace(found, truth=np.roll(found.has_label[:, 0], 1, axis=1))
    with pytest.raises(
        CalibrationRefusedError, match=r"at its highest.* 0\.\d{4} before, 0\.\d{4} after \(n = 120"
    ) as refusal:
        calibrated(says_nothing)
    assert refusal.value.metadata["bound"]
    assert set(refusal.value.metadata) == {
        "error_before", "error_after", "queries", "temperature", "pseudo_count", "bound"
    }  # fmt: skip
    assert "Calibrate with more labeled images" in refusal.value.message


def test_a_fit_that_does_not_lower_the_error_on_held_out_folds_is_refused() -> None:
    as_it_is = neighborhoods(accuracy=0.92)
    with pytest.raises(CalibrationRefusedError, match="does not lower the error of the vote as it is") as refusal:
        calibrated(as_it_is)
    assert refusal.value.metadata["bound"] == ""
    assert float(refusal.value.metadata["error_after"]) >= float(refusal.value.metadata["error_before"])


def test_distances_are_taken_where_no_label_has_shaped_the_features() -> None:
    features = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    reference = FeatureReference.of(features)
    found = calibrated(neighborhoods(), reference=reference)
    assert found.reference == reference
    assert found.distance_threshold == pytest.approx(np.quantile(reference.own_distances(), 0.95))
    without = calibrated(neighborhoods(), claims_distance=False)
    assert (without.distance_threshold, without.reference) == (None, None)
