"""What an archive's evidence is calibrated with, and how that is found."""

from dataclasses import dataclass

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.evidence.distances import NEIGHBORS, distance_threshold, distance_to_nearest
from xmirad.evidence.temperature import NO_SCALING, fit_temperature
from xmirad.evidence.voting import BoolArray, Float64Array, label_confidences
from xmirad.metrics.calibration import expected_calibration_error

MIN_CALIBRATION_QUERIES = 20
MIN_CALIBRATION_LABELS = 2
LATEST_CREATED = 253_402_300_799.0
"""The last second of the year 9999, beyond which no calendar goes."""


@dataclass(frozen=True, slots=True)
class EvidenceCalibration:
    """What turns the nearest items of an archive into evidence; valid for one model.

    Attributes:
        temperature: Of the vote; above 0, in units of the score.
        distance_threshold: Mean distance to the nearest items beyond which a query is out of distribution; 0 to 2.
        neighbors: How many nearest items vote.
        labels: The labels that the validation queries carry, sorted.
        queries: How many validation queries it was fitted on.
        error_before: Expected calibration error over these at temperature 1; 0 to 1.
        error_after: The same at the fitted temperature. Measured on what it was fitted on, hence on the kind side.
        model_digest: Digest of the model.
        data_digest: SHA-256 over the validation images' digests and labels, hexadecimal.
        created: When it was fitted, in seconds since the epoch; 0 to `LATEST_CREATED`.
    """

    temperature: float
    distance_threshold: float
    neighbors: int
    labels: tuple[str, ...]
    queries: int
    error_before: float
    error_after: float
    model_digest: str
    data_digest: str
    created: float


@dataclass(frozen=True, slots=True, eq=False)
class Neighborhoods:
    """Validation queries and their nearest items.

    Attributes:
        labels: Names of the L labels, sorted.
        scores: `[Q, K]`, cosine similarities, best first; -inf for an item that is not there.
        has_label: `[Q, K, L]`, which labels each item carries.
        truth: `[Q, L]`, which labels each query carries.
    """

    labels: tuple[str, ...]
    scores: Float64Array
    has_label: BoolArray
    truth: BoolArray


def calibrate(found: Neighborhoods, *, model_digest: str, data_digest: str, created: float) -> EvidenceCalibration:
    """Fit temperature and threshold.

    Queries without a label, or without a labeled item among their nearest, tell nothing and are passed over; so are
    those with fewer than 10 nearest items, of which the threshold and the vote of 10 would be another.

    Raises:
        InvalidRequestError: If fewer than 20 queries are left, or they carry fewer than two labels.
    """
    present = np.isfinite(found.scores)
    told = found.truth.any(axis=1) & (present & found.has_label.any(axis=2)).any(axis=1)
    told &= present.sum(axis=1) >= NEIGHBORS
    scores, has_label, truth = found.scores[told], found.has_label[told], found.truth[told]
    carried = tuple(found.labels[at] for at in np.flatnonzero(truth.any(axis=0)))
    _require(len(scores), MIN_CALIBRATION_QUERIES, f"labeled validation images with {NEIGHBORS} items nearest to them")
    _require(len(carried), MIN_CALIBRATION_LABELS, "labels among the validation images")
    temperature = fit_temperature(scores, has_label, truth)
    return EvidenceCalibration(
        temperature=temperature,
        distance_threshold=distance_threshold(distance_to_nearest(scores)),
        neighbors=NEIGHBORS,
        labels=carried,
        queries=len(scores),
        error_before=calibration_error(scores, has_label, truth, temperature=NO_SCALING),
        error_after=calibration_error(scores, has_label, truth, temperature=temperature),
        model_digest=model_digest,
        data_digest=data_digest,
        created=created,
    )


def calibration_error(scores: Float64Array, has_label: BoolArray, truth: BoolArray, *, temperature: float) -> float:
    """Return the expected calibration error of the most confident label of every query, over 15 equal-mass bins.

    Args:
        scores: `[Q, K]`.
        has_label: `[Q, K, L]`.
        truth: `[Q, L]`.
        temperature: Above 0.
    """
    confidences = label_confidences(scores, has_label, temperature=temperature)
    top = confidences.argmax(axis=1)
    rows = np.arange(len(top))
    return expected_calibration_error(confidences[rows, top], truth[rows, top])


def _require(count: int, minimum: int, what: str) -> None:
    if count < minimum:
        message = f"calibration needs at least {minimum} {what}; there are {count}"
        raise InvalidRequestError(message, field="data", metadata={"minimum": str(minimum), "count": str(count)})
