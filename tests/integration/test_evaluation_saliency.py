"""Maps evaluated through the whole system: service, queue and explainer as users start them, with real models."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.live_service import free_port
from support.models import lite0_artifact, models_dir, random_artifact
from xmirad.client.client import Client
from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, OcclusionMethod
from xmirad.datasets import Dataset, read_dataset
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, SaliencyOptions
from xmirad.evaluation.report_json import from_json, to_json
from xmirad.evaluation.saliency_report import ModelSaliency
from xmirad.phantoms.writing import write_phantoms

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
UP = [sys.executable, "-c", "from xmirad.cli.main import main; main()", "up"]
COARSE = OcclusionMethod(window=56, stride=28)
"""81 windows: a second of work."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    lite0_artifact()
    random_artifact("efficientnet-lite0")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("XMIRAD_")}
    address = f"127.0.0.1:{free_port()}"
    own = {
        "XMIRAD_HOME": str(tmp_path / "home"),
        "XMIRAD_MODELS_DIR": str(models_dir()),
        "XMIRAD_SERVER__ADDRESS": address,
        "OMP_NUM_THREADS": "1",
    }
    with (
        subprocess.Popen(UP, env={**clean, **own}, stdout=subprocess.PIPE, text=True) as process,
        Client(address) as up,
    ):
        assert process.stdout is not None
        assert "answers at" in process.stdout.readline()
        yield up
        process.terminate()


def check(model: ModelSaliency, *, queries: int) -> None:
    assert model.failures == ()
    assert model.queries == queries
    for method in model.methods:
        assert len(method.maps) == queries
        for each in method.maps:
            figures = each.figures
            assert figures["fidelity"] == pytest.approx(figures["insertion"] - figures["deletion"])
            # The two definitions are the same curves, followed by smaller steps.
            assert figures["insertion_xmir"] == pytest.approx(figures["insertion"], abs=0.05)
            assert figures["deletion_xmir"] == pytest.approx(figures["deletion"], abs=0.05)
            assert figures["better_than_chance"] in (0.0, 1.0)


def three_images(folder: Path) -> Dataset:
    """Return two images of a class and one of another; each class has a query drawn."""
    write_phantoms(folder, images_per_class=2, seed=0)
    dataset = read_dataset(folder)
    stripes = [item for item in dataset.items if item.attributes.labels == ("stripes",)]
    other = next(item for item in dataset.items if item not in stripes)
    return replace(dataset, items=(*stripes, other))


def test_maps_of_a_model_and_of_random_weights_are_evaluated_side_by_side(client: Client, tmp_path: Path) -> None:
    dataset = three_images(tmp_path / "phantoms")
    control = random_artifact("efficientnet-lite0")
    saliency = SaliencyOptions(
        queries_per_class=1, control=control.digest, methods=(COARSE, AttentionMethod(), ActivationMethod())
    )
    options = EvaluationOptions(model=lite0_artifact().digest, resamples=50, saliency=saliency)

    report = evaluate(client, dataset, options=options)

    assert report.saliency is not None
    assert report.saliency.control is not None
    check(report.saliency.evaluated, queries=2)
    check(report.saliency.control, queries=2)
    assert report.saliency.control.model.digest == control.digest
    assert from_json(to_json(report)) == report
    trained, untrained = report.saliency.evaluated.methods[0].overall, report.saliency.control.methods[0].overall
    assert trained is not None
    assert untrained is not None
    values = [each.figures["fidelity"].value for each in (trained, untrained)]
    print(f"fidelity of occlusion: {values[0]:.3f} with Lite0, {values[1]:.3f} with random weights")

    again = evaluate(client, dataset, options=options)
    assert again.saliency is not None
    assert again.saliency.evaluated.methods == report.saliency.evaluated.methods
    assert again.saliency.evaluated.seconds < report.saliency.evaluated.seconds
