"""Says in plain words what the nearest items tell of a query."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmirad.evidence.weighing import Evidence, LabelEvidence


def evidence_lines(evidence: "Evidence") -> list[str]:
    """Return what the nearest items say, one sentence a line; out of distribution nothing is named."""
    lines = [_warning(evidence)] if evidence.out_of_distribution else _labels(evidence)
    if evidence.same_patient_items:
        lines.append(f"items not counted, because they show the same patient: {evidence.same_patient_items}")
    if evidence.calibrated and evidence.out_of_distribution is None:
        lines.append("no out-of-distribution claim: nothing untrained is known of this query to take a distance in")
    return lines


def _warning(evidence: "Evidence") -> str:
    distance, threshold = (
        "unknown" if each is None else f"{each:.3f}" for each in (evidence.mean_distance, evidence.distance_threshold)
    )
    return (
        f"nothing in the archive looks like this: mean distance {distance}, while 95 % of the calibration images stay "
        f"within {threshold}; no label is named, and the items are only the least unlike"
    )


def _labels(evidence: "Evidence") -> list[str]:
    top = evidence.top
    if top is None:
        said = f"the {evidence.counted_items} nearest carry no label" if evidence.counted_items else "nothing to count"
        return [said]
    verdict = f"{top.item_count} of {evidence.counted_items} nearest: {top.label}"
    if top.confidence is None:
        verdict += " (not calibrated for this search: no confidence; see `xmirad archive calibrate`)"
    else:
        verdict += f", confidence {top.confidence:.2f} (calibrated on {evidence.calibration_queries} images)"
    others = [_other(each) for each in evidence.labels[1:]]
    return [verdict, f"other labels: {', '.join(others)}"] if others else [verdict]


def _other(label: "LabelEvidence") -> str:
    if label.confidence is None:
        return f"{label.label} ({label.item_count})"
    return f"{label.label} {label.confidence:.2f} ({label.item_count})"
