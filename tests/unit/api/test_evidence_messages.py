from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from support.calibrations import calibration
from xmirad.api.evidence import calibration_from_proto, calibration_to_proto, evidence_to_proto
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.client import parsing, search_parsing
from xmirad.errors import InvalidRequestError
from xmirad.evidence.distances import FeatureReference
from xmirad.evidence.weighing import Evidence, LabelEvidence

REFERENCE = FeatureReference.of(np.eye(12, 20, dtype=np.float32))


def test_a_calibration_comes_back_as_it_was_written() -> None:
    whole = calibration(reference=REFERENCE)
    written = calibration_to_proto(whole)
    assert calibration_from_proto(written) == whole
    assert parsing.calibration(written) == whole
    assert {field.name for field, _ in written.ListFields()} == set(pb.EvidenceCalibration.DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("name", list(pb.EvidenceCalibration.DESCRIPTOR.fields_by_name))
def test_a_calibration_that_lacks_something_is_refused_by_the_field(name: str) -> None:
    message = calibration_to_proto(calibration())
    message.ClearField(name)
    if name in {"distance_threshold", "error_after", "create_time", "reference"}:
        calibration_from_proto(message)
        return
    with pytest.raises(InvalidRequestError) as caught:
        calibration_from_proto(message)
    assert caught.value.field == f"calibration.{'error_after' if name == 'error_before' else name}"


@pytest.mark.parametrize("value", [-0.1, 2.1, float("nan"), float("inf")])
def test_a_number_out_of_its_range_is_refused_with_the_limits(value: float) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        calibration_from_proto(calibration_to_proto(calibration(distance_threshold=value)))
    assert caught.value.metadata == {"minimum": "0", "maximum": "2"}


def test_too_many_labels_are_refused() -> None:
    labels = tuple(f"label-{number}" for number in range(101))
    with pytest.raises(InvalidRequestError, match="at most 100"):
        calibration_from_proto(calibration_to_proto(calibration(labels=labels)))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"error_before": 0.1, "error_after": 0.1}, "calibration.error_after"),
        ({"error_before": 0.1, "error_after": 0.2}, "calibration.error_after"),
        ({"temperature": 10.0}, "calibration"),
        ({"temperature": 0.001}, "calibration"),
        ({"pseudo_count": 100.0}, "calibration"),
        ({"pseudo_count": 1e-5}, "calibration"),
        ({"pseudo_count": 0.0}, "calibration.pseudo_count"),
        ({"label_count": 1}, "calibration.label_count"),
        ({"folds": 1}, "calibration.fold_count"),
        ({"distance_threshold": None, "reference": REFERENCE}, "calibration.distance_threshold"),
        ({"reference": replace(REFERENCE, size=7)}, "calibration.reference.features"),
        ({"reference": replace(REFERENCE, size=5_000)}, "calibration.reference.feature_size"),
        ({"reference": FeatureReference(20, REFERENCE.rows[:400])}, "calibration.reference.features"),
        ({"reference": FeatureReference(20, bytes(480))}, "calibration.reference.features"),
    ],
)
def test_what_calibrating_would_have_refused_is_refused_from_any_client(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        calibration_from_proto(calibration_to_proto(calibration(**changes)))
    assert caught.value.field == field


def test_confidences_are_unset_where_there_are_none() -> None:
    counted = Evidence((LabelEvidence("nevus", None, 7),), 10, 0, 0.2)
    message = evidence_to_proto(counted)
    assert not message.labels[0].HasField("confidence")
    assert search_parsing.evidence(message) == counted


LAST_SECOND = 253_402_300_799


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(LAST_SECOND, 999_999_999), (LAST_SECOND + 1, 0), (2**63 - 1, 0), (-1, 0), (-(2**63), 0), (1, -1), (1, 10**9)],
)
def test_a_time_that_cannot_be_shown_again_is_refused_by_its_field(seconds: int, nanos: int) -> None:
    message = calibration_to_proto(calibration())
    message.create_time.CopyFrom(Timestamp(seconds=seconds, nanos=nanos))
    with pytest.raises(InvalidRequestError) as caught:
        calibration_from_proto(message)
    assert caught.value.field == "calibration.create_time"
    assert caught.value.metadata == {"minimum": "0", "maximum": str(LAST_SECOND)}


@pytest.mark.parametrize("seconds", [0, LAST_SECOND])
def test_a_time_at_the_limit_comes_back_as_it_was(seconds: int) -> None:
    message = calibration_to_proto(calibration())
    message.create_time.CopyFrom(Timestamp(seconds=seconds))
    assert calibration_to_proto(calibration_from_proto(message)) == message
