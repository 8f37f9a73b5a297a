"""A calibration with sensible values."""

from dataclasses import replace
from typing import Any

from xmirad.evidence.calibration import EvidenceCalibration


def calibration(**changes: Any) -> EvidenceCalibration:  # noqa: ANN401
    """Return a calibration that every check lets pass."""
    made = EvidenceCalibration(
        temperature=0.05,
        pseudo_count=0.3,
        label_count=3,
        distance_threshold=0.3,
        neighbors=10,
        labels=("melanoma", "nevus"),
        queries=147,
        folds=5,
        error_before=0.2,
        error_after=0.05,
        model_digest="ab" * 32,
        data_digest="cd" * 32,
        created=1_700_000_000.5,
    )
    return replace(made, **changes)
