"""The tables of what maps are worth."""

from collections.abc import Iterable

from xmirad.evaluation import saliency_figures as names
from xmirad.evaluation.report_parts import Group
from xmirad.evaluation.saliency_report import MethodSaliency, SaliencyReport
from xmirad.evaluation.text_table import ReportTable, Row, number, with_interval

COLUMNS = (
    "Class of the query",
    "Maps",
    "Fidelity [95 %]",
    "By chance",
    "Better",
    "Insertion",
    "Deletion",
    "X-MIR insertion",
    "X-MIR deletion",
)


def saliency_tables(report: SaliencyReport) -> list[ReportTable]:
    """Return a table for each method: its classes and all of them, then the same of the control."""
    return [
        ReportTable(
            title=f"Maps on the first result: {method.description}",
            columns=COLUMNS,
            rows=tuple(_rows(report, number)),
            notes=tuple(_notes(report, number)),
        )
        for number, method in enumerate(report.evaluated.methods)
    ]


def _rows(report: SaliencyReport, number: int) -> Iterable[Row]:
    for model in report.models:
        suffix = "" if model is report.evaluated else ", random weights"
        for group in _groups(model.methods[number]):
            yield _row(group, suffix)


def _groups(method: MethodSaliency) -> tuple[Group, ...]:
    return method.classes if method.overall is None else (*method.classes, method.overall)


def _row(group: Group, suffix: str) -> Row:
    figures = group.figures
    rest = (
        names.CHANCE_FIDELITY,
        names.BETTER_THAN_CHANCE,
        names.INSERTION,
        names.DELETION,
        names.INSERTION_XMIR,
        names.DELETION_XMIR,
    )
    fidelity = with_interval(figures[names.FIDELITY])
    return (group.name + suffix, str(group.query_count), fidelity, *(number(figures[name].value) for name in rest))


def _notes(report: SaliencyReport, number: int) -> Iterable[str]:
    for model in report.models:
        if failed := model.methods[number].failed:
            yield f"{failed} of {model.queries} maps with {model.model.display_name} could not be had."
    if number < len(report.evaluated.methods) - 1:
        return
    drawn = "All queries" if report.queries_per_class is None else f"At most {report.queries_per_class} queries a class"
    yield (
        f"{drawn}, each one's first result. Insertion (higher is better) and deletion (lower is better): area under "
        "the cosine with the query while pixels of the result change, most salient first; X-MIR: by the published step."
    )
    yield (
        "Fidelity: insertion minus deletion. By chance: that of ten controls. Better: share of the maps above "
        "every field of their pair."
    )
    if report.control is not None:
        control = report.control.model
        yield (
            f"Random weights: {control.display_name}, the same queries with first results of its own. Compare its "
            "fidelity with its own chance: its cosines lie on a scale of their own."
        )
