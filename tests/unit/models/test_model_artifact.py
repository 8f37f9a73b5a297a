import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.models import made_up_model
from xmirad.errors import ModelCorruptError
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE, IMAGENET
from xmirad.models.artifact import CARD, DOCUMENT, FILES, ModelArtifact, read_artifact
from xmirad.models.definition import Architecture, checksum


def rewrite(artifact: ModelArtifact, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter `model.json` and make its checksum right again, as someone who knows the format would."""
    path = artifact.path / DOCUMENT
    document = json.loads(path.read_text())
    change(document)
    document["checksum"] = checksum(document)
    path.write_text(json.dumps(document))


def test_a_model_says_what_its_document_says(tmp_path: Path) -> None:
    artifact = made_up_model(tmp_path, name="lungs", channels=6, recipe=EFFICIENTNET_LITE)

    assert artifact.name == "lungs"
    assert artifact.digest == artifact.path.name
    assert artifact.embedding_size == 6
    assert artifact.preprocessing == EFFICIENTNET_LITE
    assert artifact.card == "# lungs\n"
    artifact.verify_files()


def test_a_head_decides_the_embedding_size(tmp_path: Path) -> None:
    assert made_up_model(tmp_path, channels=6, head_size=2).embedding_size == 2


def test_the_digest_covers_what_decides_an_embedding(tmp_path: Path) -> None:
    plain = made_up_model(tmp_path / "plain").document.definition
    recipe = made_up_model(tmp_path / "recipe", recipe=EFFICIENTNET_LITE).document.definition
    head = made_up_model(tmp_path / "head", head_size=4).document.definition
    output = made_up_model(tmp_path / "output", channels=5).document.definition
    weights = plain.model_copy(update={"weights": "0" * 64})
    architecture = plain.model_copy(update={"architecture": Architecture.RESNET50})

    assert len({d.digest for d in (plain, recipe, head, output, weights, architecture)}) == 6
    assert plain.preprocessing == IMAGENET


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_changed_by_one_bit_is_refused(tmp_path: Path, name: str) -> None:
    artifact = made_up_model(tmp_path)
    path = artifact.path / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(ModelCorruptError) as caught:
        artifact.verify_files()
    assert caught.value.metadata == {"model": artifact.digest, "problem": f"{name} does not have its SHA-256"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    artifact = made_up_model(tmp_path)
    (artifact.path / name).unlink()

    with pytest.raises(ModelCorruptError, match=name):
        artifact.verify_files()


def test_a_missing_card_is_an_error_of_the_model(tmp_path: Path) -> None:
    artifact = made_up_model(tmp_path)
    (artifact.path / CARD).unlink()

    with pytest.raises(ModelCorruptError, match=CARD):
        _ = artifact.card


def test_a_document_that_changed_without_its_checksum_is_refused(tmp_path: Path) -> None:
    path = made_up_model(tmp_path).path / DOCUMENT
    path.write_text(path.read_text().replace('"training_data": "none"', '"training_data": "lots"'))

    with pytest.raises(ModelCorruptError, match="altered"):
        read_artifact(path.parent)


def test_a_document_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = made_up_model(tmp_path).path / DOCUMENT
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(ModelCorruptError, match="malformed"):
        read_artifact(path.parent)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("license"),
        lambda document: document.update(extra=1),
        lambda document: document["definition"].update(extra=1),
        lambda document: document["definition"]["preprocessing"].update(extra=1),
        lambda document: document["definition"]["preprocessing"].pop("mean"),
        lambda document: document["definition"].update(preprocessing=[1]),
        lambda document: document["definition"].update(architecture="vgg16"),
        lambda document: document["definition"]["output"].update(channels="4"),
        lambda document: document["canonical"].update(embedding=["0.5"] * 4),
        lambda document: document["definition"]["preprocessing"].update(mean=[0, 0, 0]),
        lambda document: document.update(digest="0" * 64),
        lambda document: document.update(format=2),
        lambda document: document["files"].pop(CARD),
        lambda document: document["files"].update({"../other": "0" * 64}),
        lambda document: document["files"].update({"weights.safetensors": "0" * 64}),
    ],
)
def test_a_document_that_is_not_of_the_format_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    artifact = made_up_model(tmp_path)
    rewrite(artifact, change)

    with pytest.raises(ModelCorruptError):
        read_artifact(artifact.path)


def test_a_rewritten_document_is_accepted_if_only_its_text_differs(tmp_path: Path) -> None:
    artifact = made_up_model(tmp_path)
    rewrite(artifact, lambda document: document.update(training_data="other"))

    assert read_artifact(artifact.path).training_data == "other"
