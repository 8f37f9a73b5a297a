"""Reads reports and comparisons, shows them, and writes their files."""

from pathlib import Path

from xmirad.cli.evaluation_data import EvaluationData
from xmirad.cli.output import Output
from xmirad.datasets.dataset import Dataset
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.comparison.findings import Comparison
from xmirad.evaluation.comparison.page import render_comparison
from xmirad.evaluation.comparison.tables import comparison_tables
from xmirad.evaluation.made_figures import MadeFigure, read_figures
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_html import render_html
from xmirad.evaluation.report_json import comparison_to_json, from_json, to_json
from xmirad.evaluation.report_notes import report_notes
from xmirad.evaluation.report_parts import DatasetSummary
from xmirad.evaluation.report_table import report_tables
from xmirad.evaluation.text_table import ReportTable
from xmirad.regular_files import read_text_file

REPORT = "report.json"


def show_report(report: EvaluationReport, output: Output) -> None:
    """Print a report: as JSON, or as tables with what must be known to read them."""
    if output.as_json:
        output.raw(to_json(report))
        return
    for table in report_tables(report):
        show_table(table, output)
    for failure in report.all_failures:
        output.text(f"failed: {failure.file} ({failure.stage}): {failure.message} [{failure.reason}]")
    for note in report_notes(report):
        output.text(note)


def show_comparison(comparison: Comparison, output: Output) -> None:
    """Print a comparison: as JSON, or as tables with what must be known to read them."""
    if output.as_json:
        output.raw(comparison_to_json(comparison))
        return
    for table in comparison_tables(comparison):
        show_table(table, output)
    for note in comparison.notes:
        output.text(note)


def show_table(table: ReportTable, output: Output) -> None:
    """Print one table with its title and notes."""
    first, *others = table.columns
    output.text(table.title)
    output.table((first, *(f">{column}" for column in others)), table.rows)
    for note in table.notes:
        output.text(note)
    output.text()


def write_report(
    report: EvaluationReport, data: EvaluationData, folder: Path, output: Output, *, made: tuple[MadeFigure, ...] = ()
) -> None:
    """Write `report.json` and `report.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_text(to_json(report), "utf-8")
    page = render_html(report, data.queries, archive_dataset=data.beside.archive, made=made)
    (folder / "report.html").write_text(page, "utf-8")
    output.note(f"report: {folder / 'report.html'} and {folder / REPORT}")


def write_comparison(comparison: Comparison, folder: Path, output: Output) -> None:
    """Write `comparison.json` and `comparison.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.json").write_text(comparison_to_json(comparison), "utf-8")
    (folder / "comparison.html").write_text(render_comparison(comparison), "utf-8")
    output.note(f"comparison: {folder / 'comparison.html'} and {folder / 'comparison.json'}")


def read_report(path: Path) -> EvaluationReport:
    """Read a report from its file, or from the folder that it lies in.

    Raises:
        InvalidRequestError: If there is none.
    """
    file = path / REPORT if path.is_dir() else path
    try:
        return from_json(read_text_file(file, field="report"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"{file} cannot be read: {error}", field="report") from error


def report_page(report: EvaluationReport, data: EvaluationData, *, figures: Path | None) -> str:
    """Return the page of a report that was written before.

    Raises:
        InvalidRequestError: If the data sets are not those of the report, or the figures cannot be read.
    """
    _require_same(report.dataset, data.queries)
    if report.archive_dataset is not None and data.beside.archive is not None:
        _require_same(report.archive_dataset, data.beside.archive)
    elif report.archive_dataset is not None or data.beside.archive is not None:
        expected = report.archive_dataset.name if report.archive_dataset is not None else "the queries themselves"
        raise InvalidRequestError(f"the queries of the report were ranked against {expected}", field="archive_split")
    made = () if figures is None else read_figures(figures)
    return render_html(report, data.queries, archive_dataset=data.beside.archive, made=made)


def _require_same(expected: DatasetSummary, found: Dataset) -> None:
    if (expected.name, expected.item_count) != (found.name, len(found.items)):
        raise InvalidRequestError(
            f"the report is of {expected.name} with {expected.item_count} images, not of {found.name} with "
            f"{len(found.items)}",
            field="path",
        )
