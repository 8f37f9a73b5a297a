"""Training on phantoms: the same run twice, a run that is broken off, and a model that finds more than before."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from support.command import run_json
from xmirad.errors import InvalidRequestError, TrainingFailedError, XmiradError
from xmirad.ids import image_digest
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import IMAGENET
from xmirad.imaging.sandbox import DecoderPool
from xmirad.models.artifact import TRAINING
from xmirad.models.embedder import load_embedder
from xmirad.models.registry import ModelRegistry
from xmirad.phantoms.writing import write_phantoms
from xmirad.training import trainer
from xmirad.training.data import read_training_data
from xmirad.training.images import decode_images
from xmirad.training.progress import Epoch
from xmirad.training.recipe import TrainingRecipe
from xmirad.training.train import Trained, TrainingRequest, check_room_for_model, train
from xmirad.types import UntrainedFeatures

pytestmark = pytest.mark.slow

RECIPE = TrainingRecipe.model_validate(
    {
        "name": "phantoms-lite0",
        "start": "efficientnet-lite0-imagenet",
        "head_size": 32,
        "epochs": 3,
        "frozen_epochs": 1,
        "weight_average": 0.9,
        "threads": 1,
        "training_split": "all",
        "validation": {"share": 0.34},
        "batch": {"images_per_class": 2, "steps": 20},
        "loss": {"kind": "multi-similarity"},
        "augmentation": {"crop": "random", "sizes": [64, 224], "rotation": 10.0, "contrast": 0.2, "erasing": 0.5},
    }
)
STEPS = 60


class Witness:
    """Keeps what training tells, and breaks it off behind a step if asked to."""

    def __init__(self, *, break_off_behind: int | None = None, total: int = STEPS) -> None:
        self._total = total
        self.epochs: list[Epoch] = []
        self.steps: list[int] = []
        self.resumed_behind: int | None = None
        self.best = 0
        self._last = break_off_behind

    def decoded(self, done: int, total: int) -> None:
        assert 0 < done <= total

    def resumed(self, step: int) -> None:
        self.resumed_behind = step

    def stepped(self, done: int, total: int) -> None:
        assert total == self._total
        self.steps.append(done)
        if done == self._last:
            raise KeyboardInterrupt

    def finished(self, epoch: Epoch, *, best: bool) -> None:
        self.epochs.append(epoch)
        self.best = epoch.number if best else self.best


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderPool]:
    pool = DecoderPool(DecodeLimits(), children=1)
    pool.start()
    with closing(pool):
        yield pool


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantoms(folder, images_per_class=12, seed=0)
    return folder


def request(folder: Path, data: Path, recipe: TrainingRecipe = RECIPE) -> TrainingRequest:
    return TrainingRequest(
        recipe=recipe,
        data=read_training_data(data, recipe),
        models_dir=folder / "models",
        work_dir=folder / "work",
        device="cpu",
    )


@pytest.fixture(scope="module")
def in_one_go(
    tmp_path_factory: pytest.TempPathFactory, phantoms: Path, decoder: DecoderPool
) -> tuple[Trained, Witness, Path]:
    folder, witness = tmp_path_factory.mktemp("in-one-go"), Witness()
    return train(request(folder, phantoms), decoder, witness), witness, folder


@pytest.mark.timeout(600)
def test_sixty_steps_broken_off_twice_give_the_same_weights_as_in_one_go(
    tmp_path: Path,
    phantoms: Path,
    decoder: DecoderPool,
    in_one_go: tuple[Trained, Witness, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    straight, witness, _ = in_one_go
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", -1.0)  # a checkpoint behind every step within an epoch
    with pytest.raises(KeyboardInterrupt):
        train(request(tmp_path, phantoms), decoder, Witness(break_off_behind=25))
    until_validation = Witness(break_off_behind=40)  # an epoch's last step, whose validation is still to come
    with pytest.raises(KeyboardInterrupt):
        train(request(tmp_path, phantoms), decoder, until_validation)
    rest = Witness()
    resumed = train(request(tmp_path, phantoms), decoder, rest)

    assert (until_validation.resumed_behind, rest.resumed_behind) == (24, 39)
    assert rest.steps == list(range(40, STEPS + 1))
    assert resumed.artifact.digest == straight.artifact.digest
    assert [epoch.validation_map for epoch in resumed.state.epochs] == [e.validation_map for e in witness.epochs]
    assert [epoch.loss for epoch in resumed.state.epochs] == [e.loss for e in witness.epochs]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "loss",
    [
        {"kind": "triplet"},
        {"kind": "triplet", "triplets": "hard"},
        {"kind": "multi-similarity"},
        {"kind": "supervised-contrastive"},
        {"kind": "proxy-anchor"},
    ],
    ids=lambda loss: "-".join(loss.values()),
)
def test_every_loss_trains_a_model_from_random_weights(
    tmp_path: Path, phantoms: Path, decoder: DecoderPool, loss: dict[str, str]
) -> None:
    changes = {"start": "resnet18", "epochs": 1, "frozen_epochs": 0, "head_size": None, "fixed_statistics": True}
    recipe = RECIPE.changed({**changes, "loss": loss, "batch": {"images_per_class": 2, "steps": 2}, "patience": 1})
    trained = train(request(tmp_path, phantoms, recipe), decoder, Witness(total=2))
    assert load_embedder(trained.artifact, threads=1).artifact.embedding_size == 512
    assert trained.state.epochs[-1].loss is not None


def test_decoded_images_are_found_again_and_decoded_again_where_the_file_is_cut_off(
    tmp_path: Path, phantoms: Path, decoder: DecoderPool
) -> None:
    items = read_training_data(phantoms, RECIPE).validation
    told: list[int] = []

    def decoded() -> list[bytes]:
        told.clear()
        images = decode_images(
            items,
            IMAGENET,
            folder=tmp_path,
            decoder=decoder,
            masks=None,
            max_bytes=1 << 20,
            advance=lambda done, _: told.append(done),
        )
        return [images[number].tobytes() for number in range(len(images))]

    first = decoded()
    assert len(told) == len(items) == len(first)
    assert decoded() == first
    assert not told
    pixels = next(tmp_path.glob("*.pixels"))
    pixels.write_bytes(pixels.read_bytes()[:-1])
    assert decoded() == first
    assert len(told) == len(items)


@pytest.mark.timeout(300)
def test_the_command_trains_a_model_that_the_home_then_has(tmp_path: Path, phantoms: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(
        'name = "tiny"\nstart = "resnet18"\nepochs = 1\nthreads = 1\ntraining_split = "all"\n'
        "[validation]\nshare = 0.34\n[batch]\nimages_per_class = 2\nsteps = 1\n"
    )
    words = ("train", "--config", str(config), "--data", str(phantoms))
    models = {"XMIRAD_MODELS_DIR": str(tmp_path / "models")}

    printed = run_json(tmp_path / "home", *words, settings=models)

    assert printed["name"] == "tiny"
    assert len(printed["epochs"]) == 2
    assert run_json(tmp_path / "home", "models", "show", "tiny", settings=models)["digest"] == printed["digest"]
    with pytest.raises(AssertionError, match="has the name 'tiny' already; choose another one with --as"):
        run_json(tmp_path / "home", *words, settings=models)


def test_the_same_training_under_another_name_gets_the_model_that_is_there(
    phantoms: Path, decoder: DecoderPool, in_one_go: tuple[Trained, Witness, Path]
) -> None:
    trained, _, folder = in_one_go
    again = train(request(folder, phantoms, RECIPE.changed({"name": "another"})), decoder, Witness())
    assert (again.artifact.name, again.artifact.digest) == ("phantoms-lite0", trained.artifact.digest)


@pytest.mark.timeout(600)
def test_training_finds_more_of_a_class_than_before(in_one_go: tuple[Trained, Witness, Path]) -> None:
    trained, witness, _ = in_one_go
    before, best = witness.epochs[0], trained.state.best_epoch
    assert best.validation_map > before.validation_map
    assert best.number == witness.best
    assert witness.steps == list(range(1, STEPS + 1))


def test_the_model_is_the_best_epoch_s_and_tells_how_it_came_about(
    phantoms: Path, in_one_go: tuple[Trained, Witness, Path]
) -> None:
    trained, _, folder = in_one_go
    found = ModelRegistry(folder / "models").find("phantoms-lite0")
    document = json.loads((found.path / TRAINING).read_text())

    assert found.embedding_size == 32
    assert load_embedder(found, threads=1).artifact.digest == trained.artifact.digest
    assert document["data"]["digest"] == read_training_data(phantoms, RECIPE).digest
    assert document["best_epoch"] == trained.state.best_epoch.number
    assert len(document["epochs"]) == 4
    assert f"validation mAP {trained.state.best_epoch.validation_map:.4f}" in found.card
    assert not list((folder / "work").glob("*/checkpoint.safetensors"))


def test_the_model_keeps_the_digests_of_its_images_and_whether_its_trunk_was_trained(
    phantoms: Path, in_one_go: tuple[Trained, Witness, Path]
) -> None:
    trained, _, folder = in_one_go
    found = ModelRegistry(folder / "models").find("phantoms-lite0")
    data = read_training_data(phantoms, RECIPE)
    assert found.training_images.training == tuple(
        sorted(image_digest(each.path.read_bytes()) for each in data.training)
    )
    assert len(found.training_images.validation) == len(data.validation)
    was_frozen = trained.state.best_epoch.number <= RECIPE.frozen_epochs
    assert found.untrained_features is (UntrainedFeatures.POOLED if was_frozen else UntrainedFeatures.NONE)


def test_a_head_on_an_untrained_trunk_gives_the_features_before_it_and_the_same_bits(
    in_one_go: tuple[Trained, Witness, Path],
) -> None:
    trained, _, _ = in_one_go
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    for fine_tuned in (False, True):
        artifact = replace(
            trained.artifact, document=trained.artifact.document.model_copy(update={"fine_tuned": fine_tuned})
        )
        embedder = load_embedder(artifact, threads=1)
        query = embedder.embed_query(pixels)
        assert query.embedding.tobytes() == embedder.embed(pixels)[0].tobytes()
        if fine_tuned:
            assert query.untrained_features is None
        else:
            assert query.untrained_features is not None
            assert query.untrained_features.shape == (1280,)
            assert np.linalg.norm(query.untrained_features) == pytest.approx(1)


def test_a_name_that_is_taken_is_refused_before_anything_is_trained(in_one_go: tuple[Trained, Witness, Path]) -> None:
    with pytest.raises(InvalidRequestError, match="phantoms-lite0"):
        check_room_for_model(RECIPE, in_one_go[2] / "models")


@pytest.mark.timeout(300)
def test_a_loss_that_is_not_finite_stops_training_and_says_where(
    tmp_path: Path, phantoms: Path, decoder: DecoderPool
) -> None:
    wild = RECIPE.changed({"optimizer": {"learning_rate": 1e30}, "frozen_epochs": 0, "weight_average": None})
    with pytest.raises(TrainingFailedError, match=r"loss is (nan|inf) at step \d") as caught:
        train(request(tmp_path, phantoms, wild), decoder, Witness())
    assert int(caught.value.metadata["step"]) >= 2


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path, phantoms: Path, decoder: DecoderPool) -> None:
    weights = tmp_path / "weights.safetensors"
    save_file({"features.0.weight": torch.zeros(3)}, weights)
    other = request(tmp_path, phantoms, RECIPE.changed({"start": "resnet18"}))
    with pytest.raises(InvalidRequestError, match="does not fit torchvision resnet18: missing"):
        train(
            TrainingRequest(
                recipe=other.recipe,
                data=other.data,
                models_dir=other.models_dir,
                work_dir=other.work_dir,
                state_dict=weights,
                device="cpu",
            ),
            decoder,
            Witness(),
        )


def test_an_unreadable_image_is_named(tmp_path: Path, phantoms: Path, decoder: DecoderPool) -> None:
    folder = shutil.copytree(phantoms, tmp_path / "broken")
    broken = sorted(folder.rglob("*.png"))[0]
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(XmiradError, match=broken.name):
        train(request(tmp_path, folder), decoder, Witness())
