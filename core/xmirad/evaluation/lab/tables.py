"""What the lab found, as tables of text."""

from xmirad.evaluation.figures import MAP_XMIR, mean_average_precision
from xmirad.evaluation.lab.findings import Calibration, Confusion, Detection, LabFindings, Reliability, SourceStudy
from xmirad.evaluation.text_table import ReportTable, Row, number, with_interval


def lab_tables(lab: LabFindings) -> list[ReportTable]:
    """Return the tables, as far as there is anything to say."""
    tables = [_confusion(lab.confusion)]
    if lab.sources is not None:
        tables += [_restricted(lab.sources)] if lab.sources.rankings else []
        tables += [_recognitions(lab.sources)] if lab.sources.recognitions else []
    if lab.calibration is not None:
        tables.append(_calibration(lab.calibration, lab.neighbors))
    if lab.detections:
        tables.append(_detections(lab.detections, lab.neighbors))
    return tables


def _confusion(confusion: Confusion) -> ReportTable:
    rows = zip(confusion.labels, confusion.counts, strict=True)
    return ReportTable(
        title="First result by class of the query",
        columns=("Query", *(label or "no label" for label in confusion.found)),
        rows=tuple((label, *map(str, counts)) for label, counts in rows),
        notes=("Rows: class of the query; columns: class of its first result.",),
    )


def _restricted(study: SourceStudy) -> ReportTable:
    rows: list[Row] = []
    for ranking in study.rankings:
        groups = (*ranking.classes, ranking.overall) if ranking.overall is not None else ()
        for group in groups:
            _, estimate = mean_average_precision(group)
            xmir = next(figure for name, figure in group.figures.items() if name.startswith(MAP_XMIR))
            chance = ranking.chance if group is ranking.overall else ranking.class_chances.get(group.name)
            precision = number(group.figures["precision_at_10"].value)
            name = f"{ranking.name}, {group.name}"
            rows.append(
                (
                    name,
                    str(group.query_count),
                    with_interval(estimate),
                    with_interval(xmir),
                    precision,
                    _or_nothing(chance),
                )
            )
    dropped = ", ".join(f"{ranking.name} {ranking.dropped_queries}" for ranking in study.rankings)
    return ReportTable(
        title="Rankings restricted by source",
        columns=("Ranked items", "Queries", "mAP [95 %]", "X-MIR [95 %]", "mP@10", "mAP by chance"),
        rows=tuple(rows),
        notes=(
            "Same source: only items from the query's source were ranked; other sources: only items from any other.",
            f"Queries without a relevant item left: {dropped}. The share of relevant items differs: see chance.",
        ),
    )


def _or_nothing(value: float | None) -> str:
    return "" if value is None else number(value)


def _recognitions(study: SourceStudy) -> ReportTable:
    rows = [
        (
            each.name,
            str(sum(each.query_counts.values())),
            ", ".join(f"{count} {source}" for source, count in each.query_counts.items()),
            with_interval(each.accuracy),
            number(each.majority),
            with_interval(each.balanced_accuracy),
            number(each.balanced_chance),
        )
        for each in study.recognitions
    ]
    return ReportTable(
        title="Can the source be told from the embedding?",
        columns=("Among", "Queries", "Of", "Accuracy [95 %]", "Majority", "Balanced [95 %]", "By chance"),
        rows=tuple(rows),
        notes=(
            f"The source that most of the {study.neighbors} nearest items of other patients are from. Within one class "
            "the class cannot explain it: where it is told far better than by chance there, retrieval sees the source.",
        ),
    )


def _calibration(calibration: Calibration, neighbors: int) -> ReportTable:
    rows = [
        _reliability_row("not fitted", calibration.before),
        _reliability_row("fitted", calibration.after),
    ]
    fitted = ", ".join(
        f"{temperature:.4g} and {pseudo_count:.4g}"
        for temperature, pseudo_count in zip(calibration.temperatures, calibration.pseudo_counts, strict=True)
    )
    return ReportTable(
        title=f"Confidence of the label of the {neighbors} nearest items: {calibration.query_count} queries",
        columns=("Vote", "ECE [95 %]", "Bins"),
        rows=tuple(rows),
        notes=(
            f"Temperature and pseudo-count, fitted on {calibration.fitted_on}: {fitted}. "
            f"Accuracy {with_interval(calibration.accuracy)}, mean confidence {number(calibration.confidence)}. ECE: "
            "at most 15 bins of equal mass; 0 is best, but few queries in a bin put it above 0 by chance.",
        ),
    )


def _reliability_row(name: str, reliability: Reliability) -> Row:
    return (name, with_interval(reliability.calibration_error), str(len(reliability.bins)))


def _detections(detections: tuple[Detection, ...], neighbors: int) -> ReportTable:
    rows = [
        (
            f"{each.name} ({each.kind})",
            str(each.inside_count),
            str(each.outside_count),
            with_interval(each.figures.auroc),
            with_interval(each.figures.aupr),
            number(each.outside_count / (each.inside_count + each.outside_count)),
            with_interval(each.figures.fpr_at_95),
        )
        for each in detections
    ]
    copies = tuple(
        f"{each.identical_count} images of {each.name} were left out: byte for byte items of the archive."
        for each in detections
        if each.identical_count
    )
    return ReportTable(
        title="Telling what the archive does not know",
        columns=("Unknown", "Known queries", "Unknown queries", "AUROC [95 %]", "AUPR [95 %]", "By chance", "FPR@95"),
        rows=tuple(rows),
        notes=(
            f"By the mean distance to the {neighbors} nearest items; unknown images are the positives. FPR@95: share "
            "of known queries taken for unknown where 95 % of the unknown are. Left-out class: without its items.",
            *copies,
        ),
    )
