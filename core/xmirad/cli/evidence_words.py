"""Says in plain words what the nearest items tell of a query."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmirad.evidence.weighing import Evidence


def evidence_lines(evidence: "Evidence") -> list[str]:
    """Return what the nearest items say, one sentence a line."""
    lines: list[str] = []
    if evidence.out_of_distribution and evidence.mean_distance is not None and evidence.distance_threshold is not None:
        lines.append(
            f"nothing in the archive looks like this: mean distance {evidence.mean_distance:.3f}, while 95 % of the "
            f"calibration images stay within {evidence.distance_threshold:.3f}; do not rely on what follows"
        )
    lines.append(_verdict(evidence))
    if others := [f"{each.label} {each.confidence:.2f} ({each.item_count})" for each in evidence.labels[1:]]:
        lines.append(f"other labels: {', '.join(others)}")
    if evidence.same_patient_items:
        lines.append(f"not counted, because they show the same patient: {evidence.same_patient_items} items")
    return lines


def _verdict(evidence: "Evidence") -> str:
    top = evidence.top
    if top is None:
        return f"the {evidence.counted_items} nearest carry no label" if evidence.counted_items else "nothing to count"
    basis = f"calibrated on {evidence.calibration_queries} images" if evidence.calibrated else "not calibrated"
    return (
        f"{top.item_count} of {evidence.counted_items} nearest: {top.label}, confidence {top.confidence:.2f} ({basis})"
    )
