import logging
from pathlib import Path

import pytest

from support.models import made_up_model
from xmirad.errors import InvalidRequestError, ModelCorruptError, ModelNotFoundError
from xmirad.models.artifact import DOCUMENT
from xmirad.models.registry import ModelRegistry


def test_a_folder_that_does_not_exist_holds_no_models(tmp_path: Path) -> None:
    assert ModelRegistry(tmp_path / "none").list() == []


def test_models_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("skin", "lungs", "bones"):
        made_up_model(tmp_path, name=name)

    assert [artifact.name for artifact in ModelRegistry(tmp_path).list()] == ["bones", "lungs", "skin"]


def test_a_model_is_found_by_name_digest_and_prefix(tmp_path: Path) -> None:
    made_up_model(tmp_path, name="skin")
    lungs = made_up_model(tmp_path, name="lungs")
    registry = ModelRegistry(tmp_path)

    for wanted in ("lungs", lungs.digest, lungs.digest[:8], lungs.digest[:40]):
        assert registry.find(wanted) == lungs
        assert registry.find(f"models/{wanted}") == lungs


@pytest.mark.parametrize("wanted", ["", "lung", "LUNGS", "models/", "../lungs", "0" * 64])
def test_a_model_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, wanted: str) -> None:
    made_up_model(tmp_path, name="lungs")

    with pytest.raises(ModelNotFoundError) as caught:
        ModelRegistry(tmp_path).find(wanted)
    assert caught.value.metadata["known"] == "lungs"
    assert caught.value.field == "model"


def test_seven_characters_of_a_digest_are_not_enough(tmp_path: Path) -> None:
    lungs = made_up_model(tmp_path, name="lungs")

    with pytest.raises(ModelNotFoundError):
        ModelRegistry(tmp_path).find(lungs.digest[:7])


def test_a_name_of_two_models_is_refused_and_their_digests_named(tmp_path: Path) -> None:
    models = [made_up_model(tmp_path, name="lungs", channels=channels) for channels in (4, 5)]

    with pytest.raises(InvalidRequestError) as caught:
        ModelRegistry(tmp_path).find("lungs")
    assert all(model.digest[:12] in caught.value.metadata["digests"] for model in models)


def test_a_corrupt_model_does_not_hide_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made_up_model(tmp_path, name="lungs")
    skin = made_up_model(tmp_path, name="skin")
    (skin.path / DOCUMENT).write_text("{}")
    registry = ModelRegistry(tmp_path)

    with caplog.at_level(logging.WARNING):
        assert [artifact.name for artifact in registry.list()] == ["lungs"]
    assert [record.message for record in caplog.records] == ["model.skipped"]
    with pytest.raises(ModelCorruptError):
        registry.find(skin.digest)


def test_folders_that_are_no_models_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".building-x").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / ("a" * 64)).write_text("a file")

    assert ModelRegistry(tmp_path).list() == []
