"""The report as tables of text, for terminals and for the page."""

from collections.abc import Iterable

from xmirad.evaluation.feedback_table import feedback_table
from xmirad.evaluation.figures import CUTOFFS, MAP, MAP_XMIR, mean_average_precision
from xmirad.evaluation.lab.tables import lab_tables
from xmirad.evaluation.report import EvaluationReport, PatientExclusive
from xmirad.evaluation.report_notes import protocol_words
from xmirad.evaluation.report_parts import Group, Protocol
from xmirad.evaluation.saliency_table import saliency_tables
from xmirad.evaluation.text_table import ReportTable, Row, number, with_interval


def report_tables(report: EvaluationReport) -> list[ReportTable]:
    """Return the tables: overall, by class, and as far as there is anything to say the others; those of maps last."""
    tables = [_overall(report), _classes(report)]
    if report.patient_exclusive is not None:
        tables.append(_patients(report.patient_exclusive))
    if report.sources:
        tables.append(_sources(report))
    if report.lab is not None:
        tables += lab_tables(report.lab)
    if report.feedback is not None:
        tables.append(feedback_table(report.feedback))
    if report.saliency is not None:
        tables += saliency_tables(report.saliency)
    return tables


def _overall(report: EvaluationReport) -> ReportTable:
    suffix = "" if report.cutoff is None else f"_at_{report.cutoff}"
    figures = report.overall.figures
    rows = [(f"mAP{suffix.replace('_at_', '@')}", MAP + suffix, MAP_XMIR + suffix)]
    rows += [(f"mP@{k}", f"precision_at_{k}", f"precision_at_{k}_xmir") for k in CUTOFFS]
    rows += [(f"R@{k}", f"recall_at_{k}", "") for k in CUTOFFS]
    alone = report.protocol is Protocol.LEAVE_ONE_OUT
    query = " with the query counted as relevant and ranked last" if alone else ", without the query"
    return ReportTable(
        title=f"{report.dataset.name}: {report.overall.query_count} queries, {protocol_words(report)}",
        columns=("Figure", "Corrected [95 %]", "X-MIR-compatible [95 %]"),
        rows=tuple(
            (name, with_interval(figures[corrected]), with_interval(figures[xmir]) if xmir else "")
            for name, corrected, xmir in rows
        ),
        notes=(f"X-MIR-compatible: trapezoid AP{query}.",),
    )


def _classes(report: EvaluationReport) -> ReportTable:
    return ReportTable(
        title="By class",
        columns=("Class", "Queries", "mAP [95 %]", "X-MIR", "mP@1", "mP@5", "mP@10", "R@10"),
        rows=_group_rows((*report.classes, report.macro, report.overall), with_xmir=True),
        notes=("macro: every class counts the same.",),
    )


def _patients(patients: PatientExclusive) -> ReportTable:
    overall = () if patients.overall is None else (patients.overall,)
    return ReportTable(
        title="Without the query's own patient",
        columns=("Class", "Queries", "mAP [95 %]", "mP@1", "mP@5", "mP@10", "R@10"),
        rows=_group_rows((*patients.classes, *overall), with_xmir=False),
        notes=(
            f"{patients.affected_queries} queries had other images of their patient in the ranking; "
            f"{patients.dropped_queries} had no relevant item left and were dropped; "
            f"the patient of {patients.unknown_patient_queries} is not known.",
        ),
    )


def _sources(report: EvaluationReport) -> ReportTable:
    rows = []
    for source in report.sources:
        figures: Row = ("0", "", "")
        if source.group is not None:
            _, estimate = mean_average_precision(source.group)
            precision = source.group.figures["precision_at_10"]
            figures = (str(source.group.query_count), with_interval(estimate), number(precision.value))
        rows.append(
            (
                source.name,
                str(source.item_count),
                *figures,
                number(source.same_source_share),
                number(source.chance_share),
            )
        )
    return ReportTable(
        title="By source of the query",
        columns=("Source", "Items", "Queries", "mAP [95 %]", "mP@10", "Same source in first 10", "By chance"),
        rows=tuple(rows),
        notes=(
            "Where the same source is found far more often than by chance, retrieval may follow it, not the class.",
        ),
    )


def _group_rows(groups: Iterable[Group], *, with_xmir: bool) -> tuple[Row, ...]:
    return tuple(_group_row(group, with_xmir=with_xmir) for group in groups)


def _group_row(group: Group, *, with_xmir: bool) -> Row:
    figures = group.figures
    _, estimate = mean_average_precision(group)
    xmir = [number(figures[name].value) for name in figures if name.startswith(MAP_XMIR)] if with_xmir else []
    rest = ("precision_at_1", "precision_at_5", "precision_at_10", "recall_at_10")
    cells = [number(figures[name].value) for name in rest]
    return (group.name, str(group.query_count), with_interval(estimate), *xmir, *cells)
