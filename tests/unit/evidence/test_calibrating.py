from dataclasses import replace

import numpy as np
import pytest

from xmirad.errors import InvalidRequestError
from xmirad.evidence import label_confidences
from xmirad.evidence.calibration import EvidenceCalibration, Neighborhoods, calibrate

LABELS = ("benign", "malignant", "unused")


def neighborhoods(queries: int = 300, *, temperature: float = 0.05) -> Neighborhoods:
    generator = np.random.default_rng(5)
    scores = np.sort(generator.uniform(0.5, 0.9, (queries, 10)))[:, ::-1]
    has_label = np.eye(3, dtype=bool)[generator.integers(0, 2, (queries, 10))]
    confidences = label_confidences(scores, has_label, temperature=temperature)
    true = (generator.uniform(0, 1, queries) > confidences[:, 0]).astype(int)
    return Neighborhoods(LABELS, scores, has_label, np.eye(3, dtype=bool)[true])


def calibrated(found: Neighborhoods) -> EvidenceCalibration:
    return calibrate(found, model_digest="m" * 64, data_digest="d" * 64, created=1.0)


def test_calibrating_lowers_the_error_and_says_what_it_was_done_with() -> None:
    found = calibrated(neighborhoods())
    assert found.error_after < found.error_before
    assert found.temperature == pytest.approx(0.05, rel=0.4)
    assert (found.queries, found.neighbors, found.labels) == (300, 10, ("benign", "malignant"))
    assert 0.1 < found.distance_threshold < 0.5


def test_a_twentieth_of_the_queries_is_called_out_of_distribution() -> None:
    found = neighborhoods()
    distances = 1 - found.scores.mean(axis=1)
    assert np.mean(distances > calibrated(found).distance_threshold) == pytest.approx(0.05, abs=0.005)


def test_queries_that_tell_nothing_are_not_counted() -> None:
    found = neighborhoods()
    has_label, truth = found.has_label.copy(), found.truth.copy()
    has_label[:10] = False
    truth[10:15] = False
    assert calibrated(replace(found, has_label=has_label, truth=truth)).queries == 285


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
    whole = replace(found, scores=found.scores[40:], has_label=found.has_label[40:], truth=found.truth[40:])
    assert calibrated(replace(found, scores=scores)) == calibrated(whole)
    scores[19:, 9] = -np.inf
    with pytest.raises(InvalidRequestError, match=r"at least 20 .* 10 items nearest to them; there are 0"):
        calibrated(replace(found, scores=scores))
