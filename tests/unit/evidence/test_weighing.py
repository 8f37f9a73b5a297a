from dataclasses import replace

import numpy as np
import pytest

from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.evidence.distances import FeatureReference
from xmirad.evidence.weighing import Evidence, LabelEvidence, Neighbor, weigh

CALIBRATION = EvidenceCalibration(
    temperature=0.05,
    pseudo_count=0.2,
    label_count=2,
    distance_threshold=0.3,
    neighbors=10,
    labels=("a", "b"),
    queries=147,
    folds=5,
    error_before=0.2,
    error_after=0.1,
    model_digest="m",
    data_digest="d",
    created=0.0,
)


def neighbors(labels: str, *, score: float = 0.9, step: float = 0.01) -> list[Neighbor]:
    return [Neighbor(score - step * at, (label,)) for at, label in enumerate(labels)]


def test_without_calibration_labels_are_counted_and_have_no_confidence() -> None:
    found = weigh(neighbors("aaabbbbbbb", step=0.0), same_patient_items=2, calibration=None)
    assert found.labels == (LabelEvidence("b", None, 7), LabelEvidence("a", None, 3))
    assert (found.counted_items, found.same_patient_items) == (10, 2)
    assert found.mean_distance == pytest.approx(0.1)
    assert (found.calibrated, found.distance_threshold, found.out_of_distribution) == (False, None, None)


def test_with_calibration_the_nearest_weigh_more_and_the_verdict_is_there() -> None:
    fitted = weigh(neighbors("aaabbbbbbb"), same_patient_items=0, calibration=CALIBRATION)
    confidence = {each.label: each.confidence or 0.0 for each in fitted.labels}
    assert confidence["a"] > 0.35
    assert sum(confidence.values()) == pytest.approx(1.0)
    assert (fitted.calibrated, fitted.calibration_queries, fitted.distance_threshold) == (True, 147, 0.3)
    assert fitted.out_of_distribution is False


def test_not_even_ten_of_ten_are_certain() -> None:
    found = weigh(neighbors("aaaaaaaaaa"), same_patient_items=0, calibration=CALIBRATION)
    assert found.top is not None
    assert (found.top.label, found.top.item_count) == ("a", 10)
    assert found.top.confidence == pytest.approx((1 + 0.1) / 1.2)


def test_labels_that_came_since_the_calibration_count_too() -> None:
    found = weigh(neighbors("aabbccddee"), same_patient_items=0, calibration=CALIBRATION)
    assert sum(each.confidence or 0.0 for each in found.labels) == pytest.approx(1.0)


def test_nothing_is_named_for_a_query_far_from_everything() -> None:
    found = weigh(neighbors("aaaaabbbbb", score=0.6), same_patient_items=3, calibration=CALIBRATION)
    assert found.mean_distance == pytest.approx(0.445)
    assert (found.out_of_distribution, found.labels, found.top) == (True, (), None)
    assert (found.counted_items, found.same_patient_items, found.calibrated) == (10, 3, True)


def test_distances_are_taken_in_untrained_features_where_the_calibration_has_them() -> None:
    directions = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    directions[:, 0] += 8
    fitted = replace(CALIBRATION, reference=FeatureReference.of(directions), distance_threshold=0.2)
    near, far = (np.array(each, np.float32) for each in ([1, 0, 0, 0], [0, 1, 0, 0]))
    kinds = [
        weigh(neighbors("aaaaabbbbb"), same_patient_items=0, calibration=fitted, features=features)
        for features in (near, far, None)
    ]
    assert [each.out_of_distribution for each in kinds] == [False, True, None]
    assert [bool(each.labels) for each in kinds] == [True, False, True]
    assert kinds[0].mean_distance == pytest.approx(fitted.reference.distance(near))  # type: ignore[union-attr]
    assert kinds[2].distance_threshold is None  # an item's own features are not kept: nothing is claimed
    assert kinds[2].mean_distance == pytest.approx(0.145)


def test_where_nothing_is_claimed_there_is_no_verdict() -> None:
    without = replace(CALIBRATION, distance_threshold=None)
    found = weigh(neighbors("aaaaabbbbb", score=0.1), same_patient_items=0, calibration=without)
    assert (found.calibrated, found.distance_threshold, found.out_of_distribution) == (True, None, None)
    assert found.top is not None


def test_fewer_items_than_were_calibrated_with_give_no_verdict() -> None:
    found = weigh(neighbors("aaaabbbbb", score=0.1), same_patient_items=0, calibration=CALIBRATION)
    assert (found.calibrated, found.calibration_queries, found.out_of_distribution) == (False, 0, None)


def test_nothing_to_count_is_said_as_it_is() -> None:
    assert weigh([], same_patient_items=4, calibration=CALIBRATION) == Evidence((), 0, 4, None)


def test_items_without_labels_count_but_say_nothing() -> None:
    found = weigh([Neighbor(0.5, ())] * 10, same_patient_items=0, calibration=CALIBRATION)
    assert (found.labels, found.top, found.counted_items) == ((), None, 10)
    assert found.out_of_distribution is True


def test_equally_frequent_labels_are_ordered_by_name() -> None:
    found = weigh([Neighbor(0.5, ("b", "a"))], same_patient_items=0, calibration=None)
    assert [each.label for each in found.labels] == ["a", "b"]
    assert found.top == LabelEvidence("a", None, 1)
