"""Runs an evaluation with a progress bar, shows its report and writes it."""

from contextlib import ExitStack
from pathlib import Path

from xmirad.cli.output import Output
from xmirad.cli.progress import Meter, meter
from xmirad.datasets.dataset import Dataset
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, SaliencyOptions, Stage
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_html import render_html
from xmirad.evaluation.report_json import to_json
from xmirad.evaluation.report_table import report_notes, report_tables
from xmirad.evaluation.service import Service
from xmirad.evaluation.text_table import ReportTable

TITLES = {Stage.UPLOAD: "Indexing", Stage.SEARCH: "Searching", Stage.EXPLAIN: "Explaining"}


def saliency_options(*, asked: bool, queries: int | None, every_query: bool, control: str) -> SaliencyOptions | None:
    """Return how maps are evaluated, or None if nothing asks for it.

    Raises:
        InvalidRequestError: If both a number of queries and all of them are asked for.
    """
    if every_query and queries is not None:
        raise InvalidRequestError("either draw some queries or take all", field="saliency_queries")
    if not (asked or every_query or queries is not None or control):
        return None
    drawn = None if every_query else queries or SaliencyOptions().queries_per_class
    return SaliencyOptions(queries_per_class=drawn, control=control)


def evaluated(service: Service, dataset: Dataset, options: EvaluationOptions, output: Output) -> EvaluationReport:
    """Evaluate a data set, showing the progress of each stage."""
    for warning in dataset.warnings:
        output.note(f"warning: {warning}")
    with Stages(dataset.name, output) as stages:
        return evaluate(service, dataset, options=options, progress=stages)


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


def show_table(table: ReportTable, output: Output) -> None:
    """Print one table with its title and notes."""
    first, *others = table.columns
    output.text(table.title)
    output.table((first, *(f">{column}" for column in others)), table.rows)
    for note in table.notes:
        output.text(note)
    output.text()


def write_report(report: EvaluationReport, dataset: Dataset, folder: Path, output: Output) -> None:
    """Write `report.json` and `report.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(to_json(report), "utf-8")
    (folder / "report.html").write_text(render_html(report, dataset), "utf-8")
    output.note(f"report: {folder / 'report.html'} and {folder / 'report.json'}")


class Stages:
    """Shows one meter after the other."""

    def __init__(self, name: str, output: Output) -> None:
        """Show the stages of something about a data set of this name."""
        self._name = name
        self._output = output
        self._stack = ExitStack()
        self._stage: Stage | None = None
        self._meter: Meter | None = None

    def __enter__(self) -> "Stages":
        """Return the progress."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the last meter."""
        self._stack.close()

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """Note the progress."""
        if stage is not self._stage or self._meter is None:
            self._stack.close()
            self._stage = stage
            self._meter = self._stack.enter_context(meter(f"{TITLES[stage]} {self._name}", total, self._output))
        self._meter.update(done, 0)
