"""Building models from files and from seeds; ResNet-18 throughout, because it is the quickest."""

import os
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor

from support.models import lite0_artifact, random_artifact
from xmirad.errors import InvalidRequestError, ModelCorruptError
from xmirad.models.artifact import FILES, WEIGHTS
from xmirad.models.building import build_model
from xmirad.models.canonical import generated_image
from xmirad.models.embedder import load_embedder
from xmirad.models.registry import ModelRegistry


@pytest.fixture(scope="module")
def resnet18_weights() -> dict[str, Tensor]:
    torch.manual_seed(11)
    return dict(torchvision.models.resnet18(weights=None).state_dict())


def test_the_same_seed_gives_the_same_digest_and_another_seed_another(tmp_path: Path) -> None:
    known = random_artifact("resnet18")

    again = build_model("resnet18", tmp_path, random_weights=True, seed=0)
    other = build_model("resnet18", tmp_path, random_weights=True, seed=1)

    assert again.digest == known.digest
    assert (again.path / "graph.bin").read_bytes() == (known.path / "graph.bin").read_bytes()
    assert other.digest != known.digest
    assert [artifact.name for artifact in ModelRegistry(tmp_path).list()] == [
        "resnet18-random-seed0",
        "resnet18-random-seed1",
    ]


def test_the_digest_of_the_default_model_is_known() -> None:
    assert lite0_artifact().digest == "4d2db9b270d925e0efb1cfc5aebb9009eca7858caa2d75d8398ef7365a6e98eb"


def test_a_model_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    first = build_model("resnet18", tmp_path, random_weights=True)
    before = {path.name: path.stat().st_mtime_ns for path in first.path.iterdir()}

    second = build_model("resnet18", tmp_path, random_weights=True)

    assert second == first
    assert {path.name: path.stat().st_mtime_ns for path in second.path.iterdir()} == before


def test_a_corrupt_model_is_built_again(tmp_path: Path) -> None:
    first = build_model("resnet18", tmp_path, random_weights=True)
    (first.path / "graph.bin").write_bytes(b"broken")
    with pytest.raises(ModelCorruptError):
        first.verify_files()

    build_model("resnet18", tmp_path, random_weights=True).verify_files()

    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".lock")] == [first.digest]


def test_a_model_has_one_name_and_a_name_one_model(tmp_path: Path) -> None:
    build_model("resnet18", tmp_path, random_weights=True, save_as="first")

    with pytest.raises(InvalidRequestError, match="under the name 'first'"):
        build_model("resnet18", tmp_path, random_weights=True, save_as="second")
    with pytest.raises(InvalidRequestError, match="another model has the name 'first'"):
        build_model("resnet18", tmp_path, random_weights=True, seed=1, save_as="first")


def test_random_networks_tell_images_apart() -> None:
    pixels = np.stack([generated_image(number, 224) for number in range(60, 64)])
    for name in ("efficientnet-lite0", "densenet121", "resnet18"):
        embeddings = load_embedder(random_artifact(name), threads=1).embed(pixels)

        scores = (embeddings @ embeddings.T)[np.triu_indices(4, 1)]
        assert scores.max() < 0.999
        assert (embeddings > 1e-4).mean() > 0.2


def test_a_state_dict_gives_the_same_model_in_every_wrapping(
    tmp_path: Path, resnet18_weights: dict[str, Tensor]
) -> None:
    torch.save(resnet18_weights, tmp_path / "plain.pth")
    parallel = {f"module.{key}": value for key, value in resnet18_weights.items()}
    torch.save({"epoch": 3, "state_dict": OrderedDict(parallel)}, tmp_path / "parallel.pth")
    save_file(resnet18_weights, tmp_path / "plain.safetensors")

    digests = {
        build_model("resnet18", tmp_path / "models", state_dict=tmp_path / name).digest
        for name in ("plain.pth", "parallel.pth", "plain.safetensors")
    }

    (digest,) = digests
    stored = load_file(tmp_path / "models" / digest / WEIGHTS)
    torch.testing.assert_close(stored["backbone.conv1.weight"], resnet18_weights["conv1.weight"], rtol=0, atol=0)


def test_a_state_dict_that_does_not_fit_is_refused_with_the_names_of_its_keys(
    tmp_path: Path, resnet18_weights: dict[str, Tensor]
) -> None:
    changed = {key: value for key, value in resnet18_weights.items() if key != "layer3.0.conv1.weight"}
    changed |= {"layer9.weight": torch.zeros(1), "conv1.weight": torch.zeros(64, 1, 7, 7)}
    torch.save(changed, tmp_path / "other.pth")

    with pytest.raises(InvalidRequestError) as caught:
        build_model("resnet18", tmp_path / "models", state_dict=tmp_path / "other.pth")

    assert caught.value.field == "state_dict"
    for problem in ("missing: layer3.0.conv1.weight", "unexpected: layer9.weight", "of another shape: conv1.weight"):
        assert problem in caught.value.message


def test_an_old_densenet_checkpoint_is_understood(tmp_path: Path) -> None:
    artifact = random_artifact("densenet121")
    tensors = load_file(artifact.path / WEIGHTS)
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key.removeprefix("backbone.")): value
        for key, value in tensors.items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")

    rebuilt = build_model("densenet121", tmp_path / "models", state_dict=tmp_path / "old.pth")

    assert rebuilt.digest == artifact.digest


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("field", ["state_dict", "head"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path, field: str) -> None:
    torch.save({"weight": Evil(tmp_path / "pwned")}, tmp_path / "evil.pth")
    head = {"head": tmp_path / "evil.pth"} if field == "head" else {}
    weights = {"state_dict": tmp_path / "evil.pth"} if field == "state_dict" else {"random_weights": True}

    with pytest.raises(InvalidRequestError, match="nothing in it was run") as caught:
        build_model("resnet18", tmp_path / "models", **head, **weights)  # type: ignore[arg-type]

    assert caught.value.field == field
    assert not (tmp_path / "pwned").exists()
    torch.load(tmp_path / "evil.pth", weights_only=False)
    assert (tmp_path / "pwned").exists()  # so the file is as evil as the test believes


@pytest.mark.parametrize("content", [b"", b"not a file of torch", b"\x80\x02]."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)

    with pytest.raises(InvalidRequestError) as caught:
        build_model("resnet18", tmp_path / "models", state_dict=path)
    assert caught.value.field == "state_dict"
    assert not list((tmp_path / "models").glob("[!.]*"))


def test_weights_that_are_missing_or_not_finite_are_refused(
    tmp_path: Path, resnet18_weights: dict[str, Tensor]
) -> None:
    with pytest.raises(InvalidRequestError, match="does not exist"):
        build_model("resnet18", tmp_path, state_dict=tmp_path / "none.pth")

    torch.save(resnet18_weights | {"bn1.bias": torch.full((64,), float("nan"))}, tmp_path / "nan.pth")
    with pytest.raises(InvalidRequestError, match=r"bn1\.bias"):
        build_model("resnet18", tmp_path, state_dict=tmp_path / "nan.pth")


def test_a_head_from_a_file_projects_the_embedding(tmp_path: Path) -> None:
    weight = torch.eye(512)[[3, 1, 4]]
    save_file({"fc.weight": weight}, tmp_path / "head.safetensors")

    artifact = build_model("resnet18", tmp_path / "models", random_weights=True, head=tmp_path / "head.safetensors")

    pixels = generated_image(7, 224)[None]
    whole = load_embedder(random_artifact("resnet18"), threads=1).embed(pixels)[0]
    picked = whole[[3, 1, 4]]
    assert artifact.embedding_size == 3
    embedding = load_embedder(artifact, threads=1).embed(pixels)[0]
    np.testing.assert_allclose(embedding, picked / np.linalg.norm(picked), atol=1e-6)


def test_a_head_for_another_network_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(4, 1024)}, tmp_path / "head.safetensors")

    with pytest.raises(InvalidRequestError, match=r"\[D, 512\]") as caught:
        build_model("resnet18", tmp_path / "models", random_weights=True, head=tmp_path / "head.safetensors")
    assert caught.value.field == "head"


def test_the_model_card_says_what_a_user_must_know() -> None:
    lite0, random = lite0_artifact(), random_artifact("densenet121")

    assert set(os.listdir(lite0.path)) == FILES | {"model.json"}
    for artifact in (lite0, random):
        for text in (artifact.name, artifact.digest, artifact.training_data, "not a diagnosis", "Apache-2.0"):
            assert text in artifact.card
    assert "ImageNet" in lite0.training_data
    assert "random" in random.training_data
    assert "not on medical images" in lite0.card
