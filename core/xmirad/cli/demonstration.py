"""What `xmirad demo` does between the start and the end of its service."""

from pathlib import Path

from xmirad.cli.evaluation_data import EvaluationData
from xmirad.cli.evaluations import evaluated
from xmirad.cli.output import Output
from xmirad.cli.reports import show_report, show_table, write_report
from xmirad.client.client import Client
from xmirad.client.search_types import SearchResult
from xmirad.datasets.dataset import Dataset
from xmirad.datasets.reading import read_dataset
from xmirad.errors import ModelNotFoundError
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.picture import Tile, write_picture
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.text_table import ReportTable, with_interval
from xmirad.settings import Settings
from xmirad.types import EncodedImage

CONTROL_ARCHITECTURE, CONTROL_SEED = "efficientnet-lite0", 0
CONTROL = f"{CONTROL_ARCHITECTURE}-random-seed{CONTROL_SEED}"
IMAGES_PER_CLASS, PHANTOM_SEED = 40, 0
NEIGHBORS = 5
FIGURES = {
    "mAP": "mean_average_precision",
    "mP@1": "precision_at_1",
    "mP@5": "precision_at_5",
    "mP@10": "precision_at_10",
}


class Demonstration:
    """Evaluates a data set and shows one search."""

    def __init__(self, settings: Settings, *, output: Path, printer: Output) -> None:
        """Keep where things are; nothing is done yet."""
        self._settings = settings
        self._output = output
        self._printer = printer
        self._dataset = Dataset("", ())
        self._models: tuple[str, ...] = ()

    def prepare(self, data: Path | None, scratch: Path) -> None:
        """Read the data set, or generate one below `scratch`, and build the models that are missing.

        Raises:
            InvalidRequestError: If the data set cannot be read, or a model is missing and torch is not installed.
        """
        if data is None:
            from xmirad.phantoms.writing import write_phantoms

            self._printer.note("generating synthetic images (no download, no patient)")
            write_phantoms(scratch / "phantoms", images_per_class=IMAGES_PER_CLASS, seed=PHANTOM_SEED)
        self._dataset = read_dataset(data or scratch / "phantoms")
        self._models = (self._settings.default_model, *((CONTROL,) if data is None else ()))
        for model in self._models:
            self._build_if_missing(model)

    def run(self, client: Client) -> None:
        """Evaluate, print, search once, and write report and picture."""
        data = EvaluationData(self._dataset, Beside())
        reports = [
            evaluated(client, data, EvaluationOptions(model=model, command="xmirad demo"), self._printer)
            for model in self._models
        ]
        show_report(reports[0], self._printer)
        if len(reports) > 1:
            show_table(comparison(reports), self._printer)
        write_report(reports[0], data, self._output, self._printer)
        self._search(client, reports[0].archive.rpartition("/")[2])

    def _build_if_missing(self, model: str) -> None:
        from xmirad.composition import model_registry
        from xmirad.models.building import build_model

        try:
            model_registry(self._settings).find(model)
        except ModelNotFoundError:
            self._printer.note(f"building the model {model}")
            if model == CONTROL:
                build_model(CONTROL_ARCHITECTURE, self._settings.models_dir, random_weights=True, seed=CONTROL_SEED)
            else:
                build_model(model, self._settings.models_dir)

    def _search(self, client: Client, archive: str) -> None:
        query = self._dataset.items[0]
        image = EncodedImage(query.path.read_bytes())
        own = client.search(archive, image, top_k=1, exact=True).results[0]
        found = client.search(archive, image, top_k=NEIGHBORS, exclude_query_item=True).results
        labels = ", ".join(query.attributes.labels)
        self._printer.text(f"One search: {query.path.name} ({labels})")
        self._printer.table(
            (">rank", ">score", "labels", "item"),
            [(result.rank, f"{result.score:.4f}", ", ".join(result.labels), result.item) for result in found],
        )
        path = self._output / "neighbors.png"
        tiles = [_tile(client, result, set(query.attributes.labels)) for result in found]
        write_picture(path, Tile(client.item_image(own.item), labels), results=tiles)
        self._printer.note(f"picture: {path}")


def comparison(reports: list[EvaluationReport]) -> ReportTable:
    """Return the figures of several models side by side."""
    rows = [
        (name, *(with_interval(report.overall.figures[figure]) for report in reports))
        for name, figure in FIGURES.items()
    ]
    return ReportTable(
        title="Trained weights beside random ones (corrected, 95 % intervals)",
        columns=("Figure", *(report.model.display_name for report in reports)),
        rows=tuple(rows),
    )


def _tile(client: Client, result: SearchResult, labels: set[str]) -> Tile:
    caption = ", ".join(result.labels)
    return Tile(client.item_image(result.item), caption, result.score, relevant=bool(labels & set(result.labels)))
