"""Evaluations through a running service with real models: the figures that the documentation promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live_service import live_service
from support.models import lite0_artifact, random_artifact
from xmirad.client.client import Client
from xmirad.datasets import read_dataset
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.report import EvaluationReport
from xmirad.models.artifact import ModelArtifact
from xmirad.phantoms.writing import write_phantoms

pytestmark = pytest.mark.slow
FIGURES = ("mean_average_precision", "precision_at_1", "precision_at_5", "precision_at_10")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    lite0_artifact()
    random_artifact("efficientnet-lite0")
    with live_service(tmp_path_factory.mktemp("home")) as service, service.start() as client:
        yield client


def evaluated(client: Client, folder: Path, model: ModelArtifact) -> EvaluationReport:
    report = evaluate(client, read_dataset(folder), options=EvaluationOptions(model=model.digest, resamples=200))
    assert report.counts.failed == 0
    return report


def mean_average_precision(report: EvaluationReport) -> float:
    return report.overall.figures["mean_average_precision"].value


@pytest.mark.parametrize("seed", [0, 1])
def test_phantoms_tell_a_trained_model_from_random_weights(client: Client, tmp_path: Path, seed: int) -> None:
    write_phantoms(tmp_path / "phantoms", images_per_class=40, seed=seed)
    trained = mean_average_precision(evaluated(client, tmp_path / "phantoms", lite0_artifact()))
    untrained = mean_average_precision(evaluated(client, tmp_path / "phantoms", random_artifact("efficientnet-lite0")))
    print(f"phantoms, seed {seed}: mAP {trained:.4f} with Lite0, {untrained:.4f} with random weights")
    assert trained < 0.98
    assert trained - untrained >= 0.15


@pytest.mark.parametrize(
    ("name", "queries", "expected"),
    [("covidx", 225, (0.587, 0.760, 0.726, 0.709)), ("isic2017", 204, (0.395, 0.495, 0.454, 0.450))],
)
def test_published_images_give_the_figures_that_were_measured_outside_the_service(
    client: Client, real_data: Path, name: str, queries: int, expected: tuple[float, ...]
) -> None:
    report = evaluated(client, real_data / name, lite0_artifact())
    found = tuple(report.overall.figures[figure].value for figure in FIGURES)
    print(f"{name}: {dict(zip(FIGURES, found, strict=True))}")
    assert report.counts.queries == queries
    assert found == pytest.approx(expected, abs=0.01)
