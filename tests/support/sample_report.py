"""A small evaluation whose every figure is known beforehand: fixed pixels, fixed patients, fixed sources."""

from dataclasses import replace
from pathlib import Path

from support.fake_evaluation import CONTROL, FakeService, pixel_item
from xmirad.client.explanation_types import AttentionMethod
from xmirad.datasets import Dataset, DatasetItem
from xmirad.errors import InternalError
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, SaliencyOptions
from xmirad.evaluation.report import EvaluationReport, Timings
from xmirad.evaluation.saliency_report import SaliencyReport
from xmirad.evaluation.uploading import evaluation_archive
from xmirad.types import ItemAttributes

SALIENCY = SaliencyOptions(queries_per_class=2, control=CONTROL.display_name)
HOSTILE = "<script>alert('x')</script>"


def sample(
    folder: Path, *, last_label: str = "z", saliency: SaliencyOptions | None = None, feedback_rounds: int = 0
) -> tuple[EvaluationReport, Dataset]:
    """Evaluate thirteen images of three classes, one of which is broken, and fix what changes from run to run.

    The control's maps are no better than chance, and those by attention fail.
    """
    items = []
    for number in range(12):
        pixels = [40 + 17 * number % 50, 60, 90 - 13 * number % 60, 30]
        pixels[number % 3] += 22
        label = ("x", "y", last_label)[number % 3]
        path = folder / f"image-{number:02d}.png"
        item = pixel_item(path, pixels, labels=(label,), patient=f"p{number // 2}", source=("a", "b")[number % 2])
        items.append(item)
    broken = folder / "broken & gone.png"
    broken.write_bytes(b"no image")
    items.append(DatasetItem(broken, "broken", ItemAttributes()))
    dataset = Dataset("sample", tuple(items), warnings=("list.txt, line 3: repeats line 1 and was left out",))
    options = EvaluationOptions(
        resamples=200,
        seed=3,
        command="xmirad evaluate sample",
        example_results=3,
        examples=1,
        saliency=saliency,
        feedback_rounds=feedback_rounds,
    )
    service = FakeService(
        outcomes={AttentionMethod: InternalError("no map")}, blind_archives={evaluation_archive("sample", CONTROL)}
    )
    report = evaluate(service, dataset, options=options)
    fixed = replace(
        report,
        created="2024-01-01T00:00:00+00:00",
        software_version="0.0",
        timings=Timings(upload_seconds=1.5, search_seconds=2.5),
        saliency=report.saliency and _timed(report.saliency),
    )
    return fixed, dataset


def _timed(saliency: SaliencyReport) -> SaliencyReport:
    control = saliency.control and replace(saliency.control, seconds=4.5)
    return replace(saliency, evaluated=replace(saliency.evaluated, seconds=3.5), control=control)
