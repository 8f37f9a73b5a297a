"""From the nearest items of a query to what they say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.evidence.distances import NEIGHBORS, distance_to_nearest
from xmirad.evidence.temperature import NO_SCALING
from xmirad.evidence.voting import label_confidences


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
        confidence: How sure they make it that the query carries it, 0 to 1.
        item_count: How many of them carry it.
    """

    label: str
    confidence: float
    item_count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the nearest items say of a query.

    Attributes:
        labels: Their labels, most confident first, equal ones by name.
        counted_items: How many items were counted.
        same_patient_items: How many were left out because they show the query's patient.
        mean_distance: Mean of 1 - score of the counted items, 0 to 2; None where there is none.
        calibrated: Whether confidences were fitted to validation queries.
        calibration_queries: How many these were; 0 where `calibrated` is False.
        distance_threshold: The distance that 95 % of these stay within; None where `calibrated` is False.
        out_of_distribution: Whether the query is beyond it; None where `calibrated` is False.
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
        """The label that the items speak for most, or None where they carry no label."""
        return self.labels[0] if self.labels else None


def weigh(
    neighbors: Sequence[Neighbor], *, same_patient_items: int, calibration: EvidenceCalibration | None
) -> Evidence:
    """Return what the nearest items say.

    Without a calibration, or with fewer items than it was fitted with, the distribution at temperature 1 is returned,
    and no verdict on the distribution: there is nothing to judge it by.

    Args:
        neighbors: The nearest items, best first, without the query's own and without its patient's.
        same_patient_items: How many were left out as its patient's.
        calibration: What was fitted for searches of this kind, or None.
    """
    fitted = calibration if len(neighbors) >= NEIGHBORS else None
    temperature = NO_SCALING if fitted is None else fitted.temperature
    distance = float(distance_to_nearest([[each.score for each in neighbors]])[0]) if neighbors else None
    return Evidence(
        labels=_distribution(neighbors, temperature),
        counted_items=len(neighbors),
        same_patient_items=same_patient_items,
        mean_distance=distance,
        calibrated=fitted is not None,
        calibration_queries=0 if fitted is None else fitted.queries,
        distance_threshold=None if fitted is None else fitted.distance_threshold,
        out_of_distribution=None if fitted is None or distance is None else distance > fitted.distance_threshold,
    )


def _distribution(neighbors: Sequence[Neighbor], temperature: float) -> tuple[LabelEvidence, ...]:
    names = sorted({label for each in neighbors for label in each.labels})
    if not names:
        return ()
    has_label = np.array([[name in each.labels for name in names] for each in neighbors])
    confidences = label_confidences([each.score for each in neighbors], has_label, temperature=temperature)
    counts = has_label.sum(axis=0)
    found = [
        LabelEvidence(name, float(confidence), int(count))
        for name, confidence, count in zip(names, confidences, counts, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -each.confidence))
