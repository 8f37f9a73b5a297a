from pathlib import Path

import pytest
from pydantic import ValidationError

from xmirad.settings import Settings
from xmirad.settings_sources import Source, effective, load_settings


def test_defaults_lie_in_the_home(home: Path) -> None:
    settings = load_settings()
    assert settings.home == home
    assert settings.models_dir == home / "models"
    assert settings.blobs_url == (home / "blobs").as_uri()


def test_a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text("[threads]\nmodel = 3\ndecode_children = 3\nblob_writers = 3\n")
    monkeypatch.setenv("XMIRAD_THREADS__DECODE_CHILDREN", "5")
    monkeypatch.setenv("XMIRAD_THREADS__BLOB_WRITERS", "5")
    settings = load_settings({"threads": {"blob_writers": 7}})
    assert (settings.threads.model, settings.threads.decode_children, settings.threads.blob_writers) == (3, 5, 7)
    assert settings.limits.max_top_k == 1_000


def test_the_home_of_the_flag_decides_which_file_is_read(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text('site = "north"\n')
    assert load_settings({"home": str(other)}).site == "north"


def test_the_environment_can_name_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "site.toml"
    file.write_text(f'home = "{tmp_path / "elsewhere"}"\nsite = "south"\n')
    monkeypatch.delenv("XMIRAD_HOME")
    monkeypatch.setenv("XMIRAD_CONFIG", str(file))
    settings = load_settings()
    assert (settings.site, settings.models_dir) == ("south", tmp_path / "elsewhere" / "models")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_STORE__API_KEY", "")
    assert load_settings().store.api_key is None


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.site = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.server.address = "127.0.0.1:1"  # type: ignore[misc]


def test_effective_names_the_source_of_every_value(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").write_text('site = "north"\n')
    monkeypatch.setenv("XMIRAD_LOGGING__LEVEL", "debug")
    flags = {"server": {"address": "127.0.0.1:7000"}}
    shown = {entry.name: entry for entry in effective(load_settings(flags), flags)}
    assert (shown["site"].value, shown["site"].source) == ("north", Source.FILE)
    assert (shown["logging.level"].value, shown["logging.level"].source) == ("debug", Source.ENVIRONMENT)
    assert (shown["server.address"].value, shown["server.address"].source) == ("127.0.0.1:7000", Source.FLAG)
    assert (shown["metrics.port"].value, shown["metrics.port"].source) == (0, Source.DEFAULT)


def test_effective_masks_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_STORE__API_KEY", "open-sesame")
    monkeypatch.setenv("XMIRAD_BLOBS__URL", "s3://user:open-sesame@bucket/folder")
    settings = load_settings()
    assert "open-sesame" not in str(effective(settings))
    assert settings.store.api_key is not None
    assert settings.store.api_key.get_secret_value() == "open-sesame"
    assert "open-sesame" not in repr(settings.store)


def test_every_setting_is_described() -> None:
    assert [entry.name for entry in effective(Settings()) if not entry.description] == []
