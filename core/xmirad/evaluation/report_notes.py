"""What must be said beside the figures of a report."""

from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_parts import Protocol

SHOWN_NAMES = 10


def protocol_words(report: EvaluationReport) -> str:
    """Return what the queries were ranked against, in a few words."""
    if report.archive_dataset is None:
        return "leave-one-out"
    return f"against {report.counts.items:,} items of {report.archive_dataset.name}"


def report_notes(report: EvaluationReport) -> list[str]:
    """Return what must be said beside the figures, one sentence a line; the intended use comes last."""
    counts, dataset = report.counts, report.dataset
    lines = _training_overlap(report)
    if dataset.synthetic:
        lines.append("The images are generated: these figures say nothing about medicine.")
    if report.protocol is Protocol.SEPARATE_ARCHIVE:
        lines += _separate_archive(report)
    if report.cutoff is not None:
        lines.append(f"The archive is large: only the first {report.cutoff:,} results of every query were ranked.")
        if report.lab is not None:
            lines.append("Rankings restricted by source and left-out classes need whole rankings and were left out.")
    lines += _failures(report)
    if counts.dropped_queries:
        lines.append(f"{counts.dropped_queries} queries share no label with another image and have no figures.")
    if counts.merged:
        lines.append(f"{counts.merged} files are byte for byte an earlier one and were counted once.")
    if dataset.duplicates:
        lines.append(f"Byte-identical images, which flatter the figures: {'; '.join(dataset.duplicates)}.")
    return [*lines, *dataset.warnings, report.intended_use]


def _training_overlap(report: EvaluationReport) -> list[str]:
    overlap = report.training_overlap
    if overlap is None:
        return []
    lines = []
    if names := overlap.trained_queries:
        lines.append(
            f"WARNING: the model was trained on {len(names)} of the queries, so these figures are not "
            f"those of images that it has never seen: {_named(names)}."
        )
    if names := overlap.validation_queries:
        lines.append(
            f"WARNING: the model's best epoch was chosen by {len(names)} of the queries, which makes these "
            f"figures optimistic: {_named(names)}."
        )
    if overlap.trained_items and report.protocol is Protocol.SEPARATE_ARCHIVE:
        lines.append(
            f"The model was trained on {overlap.trained_items} items of the archive, as one that is searched by a "
            "model of its own usually is; queries of new patients are what is measured."
        )
    return lines


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def _failures(report: EvaluationReport) -> list[str]:
    lines, failed = [], report.counts.failed
    if failed:
        which = "1 image failed and is" if failed == 1 else f"{failed} images failed and are"
        lines.append(f"{which} listed in the report.")
    if report.saliency is not None and report.saliency.failures:
        lines.append(f"Of the maps, {len(report.saliency.failures)} could not be had and are listed in the report.")
    if report.feedback is not None and report.feedback.failures:
        count = len(report.feedback.failures)
        lines.append(f"Of the searches with feedback, {count} failed and are listed in the report.")
    return lines


def _separate_archive(report: EvaluationReport) -> list[str]:
    lines = []
    names = report.identical_queries
    if names:
        which = "1 query was" if len(names) == 1 else f"{len(names)} queries were"
        lines.append(f"{which} left out: an item of the archive is byte for byte the same: {', '.join(names)}.")
    known = {} if report.archive_dataset is None else report.archive_dataset.class_counts
    missing = [label for label in report.dataset.class_counts if label not in known]
    if missing:
        lines.append(f"The archive has no image of the class {', '.join(missing)}: its queries have no figures.")
    return lines
