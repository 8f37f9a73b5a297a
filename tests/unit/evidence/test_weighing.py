import pytest

from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.evidence.weighing import Evidence, LabelEvidence, Neighbor, weigh

CALIBRATION = EvidenceCalibration(
    temperature=0.05,
    distance_threshold=0.3,
    neighbors=10,
    labels=("a", "b"),
    queries=147,
    error_before=0.2,
    error_after=0.1,
    model_digest="m",
    data_digest="d",
    created=0.0,
)


def neighbors(labels: str, *, score: float = 0.9, step: float = 0.01) -> list[Neighbor]:
    return [Neighbor(score - step * at, (label,)) for at, label in enumerate(labels)]


def test_without_calibration_there_is_a_distribution_and_no_verdict() -> None:
    found = weigh(neighbors("aaabbbbbbb", step=0.0), same_patient_items=2, calibration=None)
    assert [(each.label, each.item_count) for each in found.labels] == [("b", 7), ("a", 3)]
    assert [each.confidence for each in found.labels] == pytest.approx([0.7, 0.3])
    assert (found.counted_items, found.same_patient_items) == (10, 2)
    assert found.mean_distance == pytest.approx(0.1)
    assert (found.calibrated, found.distance_threshold, found.out_of_distribution) == (False, None, None)


def test_with_calibration_the_nearest_weigh_more_and_the_verdict_is_there() -> None:
    plain = weigh(neighbors("aaabbbbbbb"), same_patient_items=0, calibration=None)
    fitted = weigh(neighbors("aaabbbbbbb"), same_patient_items=0, calibration=CALIBRATION)
    confidence = {each.label: each.confidence for each in fitted.labels}
    assert confidence["a"] > {each.label: each.confidence for each in plain.labels}["a"]
    assert (fitted.calibrated, fitted.calibration_queries, fitted.distance_threshold) == (True, 147, 0.3)
    assert fitted.out_of_distribution is False


def test_a_query_far_from_everything_is_out_of_distribution() -> None:
    found = weigh(neighbors("aaaaabbbbb", score=0.6), same_patient_items=0, calibration=CALIBRATION)
    assert found.mean_distance == pytest.approx(0.445)
    assert found.out_of_distribution is True


def test_fewer_items_than_were_calibrated_with_give_no_verdict() -> None:
    found = weigh(neighbors("aaaabbbbb", score=0.1), same_patient_items=0, calibration=CALIBRATION)
    assert (found.calibrated, found.calibration_queries, found.out_of_distribution) == (False, 0, None)


def test_nothing_to_count_is_said_as_it_is() -> None:
    assert weigh([], same_patient_items=4, calibration=CALIBRATION) == Evidence((), 0, 4, None)


def test_items_without_labels_count_but_say_nothing() -> None:
    found = weigh([Neighbor(0.5, ())] * 10, same_patient_items=0, calibration=CALIBRATION)
    assert (found.labels, found.top, found.counted_items) == ((), None, 10)
    assert found.out_of_distribution is True


def test_equally_confident_labels_are_ordered_by_name() -> None:
    found = weigh([Neighbor(0.5, ("b", "a"))], same_patient_items=0, calibration=None)
    assert [each.label for each in found.labels] == ["a", "b"]
    assert found.top == LabelEvidence("a", 1.0, 1)
