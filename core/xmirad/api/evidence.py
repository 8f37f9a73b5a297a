"""Evidence and its calibration, and their messages."""

import math
import re

from google.protobuf.timestamp_pb2 import Timestamp

from xmirad.api import checks
from xmirad.api.conversion import time_to_proto
from xmirad.api.limits import MAX_CALIBRATION_LABELS, MAX_LABEL_CHARACTERS
from xmirad.api.v1 import archive_service_pb2, retrieval_service_pb2
from xmirad.errors import InvalidRequestError
from xmirad.evidence.calibration import (
    LATEST_CREATED,
    MIN_CALIBRATION_LABELS,
    MIN_CALIBRATION_QUERIES,
    EvidenceCalibration,
)
from xmirad.evidence.distances import MAX_FEATURE_SIZE, NEIGHBORS, FeatureReference
from xmirad.evidence.fitting import (
    FOLDS,
    HIGHEST_PSEUDO_COUNT,
    HIGHEST_TEMPERATURE,
    LOWEST_PSEUDO_COUNT,
    LOWEST_TEMPERATURE,
    bound_reached,
)
from xmirad.evidence.weighing import Evidence

DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_DISTANCE = 2.0
MAX_QUERIES = 2**31 - 1


def evidence_to_proto(evidence: Evidence) -> retrieval_service_pb2.Evidence:
    """Write what the nearest items say of a query."""
    return retrieval_service_pb2.Evidence(
        labels=[
            retrieval_service_pb2.LabelEvidence(
                label=each.label, confidence=each.confidence, item_count=each.item_count
            )
            for each in evidence.labels
        ],
        calibrated=evidence.calibrated,
        calibration_query_count=evidence.calibration_queries,
        counted_items=evidence.counted_items,
        same_patient_items=evidence.same_patient_items,
        mean_distance=evidence.mean_distance,
        distance_threshold=evidence.distance_threshold,
        out_of_distribution=evidence.out_of_distribution,
    )


def calibration_to_proto(calibration: EvidenceCalibration) -> archive_service_pb2.EvidenceCalibration:
    """Write what evidence is calibrated with."""
    reference = calibration.reference
    return archive_service_pb2.EvidenceCalibration(
        temperature=calibration.temperature,
        pseudo_count=calibration.pseudo_count,
        label_count=calibration.label_count,
        distance_threshold=calibration.distance_threshold,
        nearest_items=calibration.neighbors,
        labels=calibration.labels,
        query_count=calibration.queries,
        fold_count=calibration.folds,
        error_before=calibration.error_before,
        error_after=calibration.error_after,
        model=f"models/{calibration.model_digest}",
        data_digest=calibration.data_digest,
        create_time=time_to_proto(calibration.created),
        reference=None if reference is None else _reference_to_proto(reference),
    )


def calibration_from_proto(
    message: archive_service_pb2.EvidenceCalibration, *, field: str = "calibration"
) -> EvidenceCalibration:
    """Read and check a calibration; whether its model is the archive's is for the caller to say.

    Raises:
        InvalidRequestError: If a field is out of its range, or it is none that calibrating would have accepted.
    """
    labels = checks.words(
        message.labels,
        field=f"{field}.labels",
        max_count=MAX_CALIBRATION_LABELS,
        max_characters=MAX_LABEL_CHARACTERS,
    )
    _at_least(len(labels), MIN_CALIBRATION_LABELS, field=f"{field}.labels")
    queries = f"{field}.query_count"
    threshold = f"{field}.distance_threshold"
    has_threshold = message.HasField("distance_threshold")
    calibration = EvidenceCalibration(
        temperature=_within(message.temperature, LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE, field=f"{field}.temperature"),
        pseudo_count=_within(
            message.pseudo_count, LOWEST_PSEUDO_COUNT, HIGHEST_PSEUDO_COUNT, field=f"{field}.pseudo_count"
        ),
        label_count=checks.whole_number(
            message.label_count, field=f"{field}.label_count", minimum=len(labels), maximum=MAX_QUERIES
        ),
        distance_threshold=_within(message.distance_threshold, 0.0, MAX_DISTANCE, field=threshold)
        if has_threshold
        else None,
        neighbors=checks.whole_number(
            message.nearest_items, field=f"{field}.nearest_items", minimum=NEIGHBORS, maximum=NEIGHBORS
        ),
        labels=labels,
        queries=checks.whole_number(
            message.query_count, field=queries, minimum=MIN_CALIBRATION_QUERIES, maximum=MAX_QUERIES
        ),
        folds=checks.whole_number(message.fold_count, field=f"{field}.fold_count", minimum=2, maximum=FOLDS),
        error_before=_within(message.error_before, 0.0, 1.0, field=f"{field}.error_before"),
        error_after=_within(message.error_after, 0.0, 1.0, field=f"{field}.error_after"),
        model_digest=_digest(checks.model(message.model, field=f"{field}.model"), field=f"{field}.model"),
        data_digest=_digest(message.data_digest, field=f"{field}.data_digest"),
        created=_time(message.create_time, field=f"{field}.create_time"),
        reference=_reference(message.reference, field=f"{field}.reference") if message.HasField("reference") else None,
    )
    _require_better(calibration, field=field)
    return calibration


def _require_better(calibration: EvidenceCalibration, *, field: str) -> None:
    """Refuse what `xmirad archive calibrate` would have refused, so that "calibrated" always means the same."""
    if bound := bound_reached(calibration.vote):
        raise InvalidRequestError(f"{field} ends at a bound of its search: {bound}", field=field)
    before, after = calibration.error_before, calibration.error_after
    if not after < before:
        message = f"{field}.error_after is {after:.4f}; it must be below error_before, {before:.4f}"
        raise InvalidRequestError(message, field=f"{field}.error_after", metadata={"maximum": f"{before:.6f}"})
    if calibration.reference is not None and calibration.distance_threshold is None:
        message = f"{field}.reference is of no use without {field}.distance_threshold"
        raise InvalidRequestError(message, field=f"{field}.distance_threshold")


def _reference_to_proto(reference: FeatureReference) -> archive_service_pb2.FeatureReference:
    return archive_service_pb2.FeatureReference(feature_size=reference.size, features=reference.rows)


def _reference(message: archive_service_pb2.FeatureReference, *, field: str) -> FeatureReference:
    size = checks.whole_number(message.feature_size, field=f"{field}.feature_size", minimum=1, maximum=MAX_FEATURE_SIZE)
    reference = FeatureReference(size, message.features)
    problem = reference.problem()
    if problem:
        raise InvalidRequestError(f"{field}.features {problem}", field=f"{field}.features")
    return reference


def _within(value: float, minimum: float, maximum: float, *, field: str) -> float:
    if math.isnan(value) or not minimum <= value <= maximum:
        limit = {"minimum": f"{minimum:g}", "maximum": f"{maximum:g}"}
        raise InvalidRequestError(f"{field} must be {minimum:g} to {maximum:g}", field=field, metadata=limit)
    return value


def _time(time: Timestamp, *, field: str) -> float:
    """Return a time in seconds since the epoch, to the microsecond."""
    seconds = (time.seconds * 1_000_000 + time.nanos // 1_000) / 1e6
    if not 0 <= time.nanos < 1_000_000_000 or not 0.0 <= seconds <= LATEST_CREATED:
        limit = {"minimum": "0", "maximum": f"{LATEST_CREATED:.0f}"}
        raise InvalidRequestError(f"{field} must be a time of the years 1970 to 9999", field=field, metadata=limit)
    return seconds


def _at_least(count: int, minimum: int, *, field: str) -> None:
    if count < minimum:
        limit = {"min_count": str(minimum), "count": str(count)}
        raise InvalidRequestError(f"{field} must have at least {minimum} values", field=field, metadata=limit)


def _digest(text: str, *, field: str) -> str:
    if not DIGEST.fullmatch(text):
        raise InvalidRequestError(f"{field} must name a SHA-256 by 64 of the characters 0-9 and a-f", field=field)
    return text
