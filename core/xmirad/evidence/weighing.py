"""From the nearest items of a query to what they say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.evidence.distances import NEIGHBORS, distance_to_nearest
from xmirad.evidence.voting import label_confidences
from xmirad.types import Float32Array


@dataclass(frozen=True, slots=True)
class Neighbor:
    """An item near a query.

    Attributes:
        score: Cosine similarity, -1 to 1.
        labels: The item's labels.
    """

    score: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """What the nearest items say for a label.

    Attributes:
        label: The label.
        confidence: How sure they make it that the query carries it, 0 to 1; None where the archive is not calibrated.
        item_count: How many of them carry it.
    """

    label: str
    confidence: float | None
    item_count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the nearest items say of a query.

    Attributes:
        labels: Their labels, most confident first, without confidences those of most items first, equal ones by name.
            Empty where the query is out of distribution: nothing is named for an image that the archive does not know.
        counted_items: How many items were counted.
        same_patient_items: How many were left out because they show the query's patient.
        mean_distance: Mean distance to the nearest, 0 to 2: of the counted items, or, where the calibration has
            untrained features, of the reference images in these. None where there is none.
        calibrated: Whether confidences were fitted to validation queries.
        calibration_queries: How many these were; 0 where `calibrated` is False.
        distance_threshold: The distance that 95 % of these stay within; None where nothing is claimed.
        out_of_distribution: Whether the query is beyond it; None where nothing is claimed.
    """

    labels: tuple[LabelEvidence, ...]
    counted_items: int
    same_patient_items: int
    mean_distance: float | None
    calibrated: bool = False
    calibration_queries: int = 0
    distance_threshold: float | None = None
    out_of_distribution: bool | None = None

    @property
    def top(self) -> LabelEvidence | None:
        """The label that the items speak for most, or None where they carry no label, or nothing may be named."""
        return self.labels[0] if self.labels else None


def weigh(
    neighbors: Sequence[Neighbor],
    *,
    same_patient_items: int,
    calibration: EvidenceCalibration | None,
    features: Float32Array | None = None,
) -> Evidence:
    """Return what the nearest items say.

    Without a calibration, or with fewer items than it was fitted with, labels are counted and have no confidence, and
    there is no verdict on the distribution: there is nothing to judge it by. Nor is there one where the calibration
    claims none, or has untrained features and the query has not.

    Args:
        neighbors: The nearest items, best first, without the query's own and without its patient's.
        same_patient_items: How many were left out as its patient's.
        calibration: What was fitted for searches of this kind, or None.
        features: The query's untrained features, `[C]`, or None where it has none that differ from its embedding.
    """
    fitted = calibration if len(neighbors) >= NEIGHBORS else None
    distance, threshold = _distance(neighbors, fitted, features)
    is_outside = None if threshold is None or distance is None else distance > threshold
    return Evidence(
        labels=() if is_outside else _distribution(neighbors, fitted),
        counted_items=len(neighbors),
        same_patient_items=same_patient_items,
        mean_distance=distance,
        calibrated=fitted is not None,
        calibration_queries=0 if fitted is None else fitted.queries,
        distance_threshold=threshold,
        out_of_distribution=is_outside,
    )


def _distance(
    neighbors: Sequence[Neighbor], fitted: EvidenceCalibration | None, features: Float32Array | None
) -> tuple[float | None, float | None]:
    """Return the distance to the nearest and its threshold, which is None where nothing is claimed."""
    if fitted is not None and fitted.reference is not None and features is not None:
        return fitted.reference.distance(features), fitted.distance_threshold
    distance = float(distance_to_nearest([[each.score for each in neighbors]])[0]) if neighbors else None
    is_of_items = fitted is not None and fitted.reference is None
    return distance, fitted.distance_threshold if fitted is not None and is_of_items else None


def _distribution(neighbors: Sequence[Neighbor], fitted: EvidenceCalibration | None) -> tuple[LabelEvidence, ...]:
    names = sorted({label for each in neighbors for label in each.labels})
    if not names:
        return ()
    has_label = np.array([[name in each.labels for name in names] for each in neighbors])
    counts = has_label.sum(axis=0).tolist()
    if fitted is None:
        counted = [LabelEvidence(name, None, count) for name, count in zip(names, counts, strict=True)]
        return tuple(sorted(counted, key=lambda each: -each.item_count))
    # Labels that came into the archive since it was calibrated count too.
    label_count = max(fitted.label_count, len(names))
    scores = [each.score for each in neighbors]
    confidences = label_confidences(scores, has_label, vote=fitted.vote, label_count=label_count).tolist()
    weighed = zip(names, confidences, counts, strict=True)
    return tuple(sorted((LabelEvidence(*each) for each in weighed), key=lambda each: -(each.confidence or 0.0)))
