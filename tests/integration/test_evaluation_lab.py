"""The evaluation lab through a running service with real models."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.live_service import live_service
from support.models import lite0_artifact, random_artifact
from xmirad.client.client import Client
from xmirad.datasets import Dataset, DatasetItem, read_dataset
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.comparison.comparing import compare
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions
from xmirad.phantoms.writing import write_phantoms
from xmirad.types import ItemAttributes

pytestmark = pytest.mark.slow
MAP = "mean_average_precision"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    lite0_artifact()
    random_artifact("efficientnet-lite0")
    with live_service(tmp_path_factory.mktemp("home")) as service, service.start() as client:
        yield client


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """Divide phantoms into three parts, and draw noise that resembles nothing among them."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantoms(folder, images_per_class=30, seed=0)
    items = read_dataset(folder).items
    found = {name: Dataset(name, items[at::3]) for at, name in enumerate(("test", "train", "val"))}
    return found | {"noise": Dataset("noise", tuple(noise(folder / f"noise{n}.png", seed=n) for n in range(12)))}


def noise(path: Path, *, seed: int) -> DatasetItem:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(256, 256, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return DatasetItem(path, path.stem, ItemAttributes(labels=("noise",)))


def test_queries_against_another_part_are_calibrated_and_noise_is_found_out(
    client: Client, parts: dict[str, Dataset]
) -> None:
    beside = Beside(archive=parts["train"], validation=parts["val"], other_data=parts["noise"])
    options = EvaluationOptions(model=lite0_artifact().digest, resamples=200)
    report = evaluate(client, parts["test"], beside=beside, options=options)
    assert (report.counts.queries, report.counts.items, report.counts.failed) == (30, 30, 0)
    assert report.lab is not None
    assert report.lab.calibration is not None
    detection = report.lab.detections[0]
    error = report.lab.calibration.after.calibration_error.value
    print(f"phantoms, separate archive: mAP {report.overall.figures[MAP].value:.4f}, ECE {error:.4f}")
    print(f"noise against phantoms: AUROC {detection.figures.auroc.value:.4f}")
    assert report.overall.figures[MAP].value > 0.6
    assert report.lab.calibration.fitted_on == "30 queries of val"
    assert detection.figures.auroc.value > 0.95


def test_a_trained_model_is_better_than_random_weights_beyond_chance(client: Client, parts: dict[str, Dataset]) -> None:
    options = EvaluationOptions(resamples=200)
    random, trained = (
        evaluate(client, parts["test"], options=replace(options, model=artifact.digest))
        for artifact in (random_artifact("efficientnet-lite0"), lite0_artifact())
    )
    figure = compare(random, trained).groups[0].figures[MAP]
    print(f"phantoms: {figure.first:.4f} to {figure.second:.4f}, p {figure.p_value:.4f}")
    assert figure.difference.low > 0
    assert figure.p_value < 0.01
