"""The report as one self-contained page: no script, no request, pictures inside."""

import base64
from dataclasses import dataclass
from io import BytesIO

from jinja2 import Environment, PackageLoader, StrictUndefined

from xmirad.datasets import Dataset
from xmirad.evaluation.report import EvaluationReport, Example, ExampleResult
from xmirad.evaluation.report_table import report_notes, report_tables
from xmirad.evaluation.text_table import number
from xmirad.evaluation.viewing import open_picture

THUMBNAIL = 128
JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture on the page.

    Attributes:
        source: Data URI of its thumbnail; empty if there is none.
        alt: What it shows, for readers who do not see it.
        kind: `query`, `relevant` or `other`: the color of its frame.
        lines: What is written below it.
    """

    source: str
    alt: str
    kind: str
    lines: tuple[str, ...]


def render_html(report: EvaluationReport, dataset: Dataset) -> str:
    """Return the report as an HTML page.

    Args:
        report: The report.
        dataset: The data set that was evaluated, for the pictures.
    """
    environment = Environment(
        loader=PackageLoader("xmirad.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    examples = {
        kind: [_figures(example, dataset) for example in report.examples if example.kind == kind]
        for kind in ("worst", "best")
    }
    return environment.get_template("report.html.j2").render(
        report=report, tables=report_tables(report), notes=report_notes(report), examples=examples
    )


def _figures(example: Example, dataset: Dataset) -> list[Figure]:
    labels = ", ".join(example.labels)
    query = Figure(
        source=_thumbnail(dataset, example.item),
        alt=f"Query {example.file}, {labels}",
        kind="query",
        lines=("query", labels, f"AP {number(example.average_precision)}"),
    )
    return [query, *(_result(result, rank, dataset) for rank, result in enumerate(example.results, start=1))]


def _result(result: ExampleResult, rank: int, dataset: Dataset) -> Figure:
    labels = ", ".join(result.labels)
    meaning = "same class" if result.relevant else "other class"
    return Figure(
        source=_thumbnail(dataset, result.item),
        alt=f"Result {rank} {result.file}, {labels}, {meaning}, score {number(result.score)}",
        kind="relevant" if result.relevant else "other",
        lines=(f"{rank}. {meaning}", labels, number(result.score)),
    )


def _thumbnail(dataset: Dataset, index: int) -> str:
    image = open_picture(dataset.items[index].path, size=THUMBNAIL)
    if image is None:
        return ""
    buffer = BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
