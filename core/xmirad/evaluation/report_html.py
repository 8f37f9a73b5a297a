"""The report as one self-contained page: no script, no request, pictures inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from xmirad.datasets import Dataset
from xmirad.evaluation.lab.charts import lab_charts
from xmirad.evaluation.made_figures import MadeFigure
from xmirad.evaluation.pages import data_uri, page_template
from xmirad.evaluation.report import EvaluationReport, Example, ExampleResult
from xmirad.evaluation.report_notes import protocol_words, report_notes
from xmirad.evaluation.report_table import report_tables
from xmirad.evaluation.text_table import number
from xmirad.evaluation.viewing import open_picture

THUMBNAIL = 128
NO_CHARTS = "Charts are missing: they need the extra `xmirad[lab]`. Every figure is in the tables."
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


def render_html(
    report: EvaluationReport,
    dataset: Dataset,
    *,
    archive_dataset: Dataset | None = None,
    made: Sequence[MadeFigure] = (),
) -> str:
    """Return the report as an HTML page.

    Args:
        report: The report.
        dataset: The data set that was evaluated, for the pictures.
        archive_dataset: The archive's data set, where it is not the same.
        made: Figures that were made beside (`xmirad figures`), to be shown on the page.
    """
    results = archive_dataset or dataset
    examples = {
        kind: [_figures(example, dataset, results) for example in report.examples if example.kind == kind]
        for kind in ("worst", "best")
    }
    charts = [] if report.lab is None else lab_charts(report.lab)
    notes = report_notes(report)
    return page_template("report.html.j2").render(
        report=report,
        tables=report_tables(report),
        notes=notes if charts or report.lab is None else [NO_CHARTS, *notes],
        examples=examples,
        protocol=protocol_words(report),
        charts=[(chart.title, chart.alt, data_uri(chart.svg, "image/svg+xml")) for chart in charts],
        made=[(figure, data_uri(figure.data, figure.media_type)) for figure in made],
    )


def _figures(example: Example, dataset: Dataset, results: Dataset) -> list[Figure]:
    labels = ", ".join(example.labels)
    query = Figure(
        source=_thumbnail(dataset, example.item),
        alt=f"Query {example.file}, {labels}",
        kind="query",
        lines=("query", labels, f"AP {number(example.average_precision)}"),
    )
    return [query, *(_result(result, rank, results) for rank, result in enumerate(example.results, start=1))]


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
    return data_uri(buffer.getvalue(), "image/jpeg")
