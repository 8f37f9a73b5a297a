import stat
from pathlib import Path

import pytest

from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.errors import SiteKeyMismatchError
from xmirad.home import Home
from xmirad.settings import Settings
from xmirad.site_key import load_site_key


def _prepared(home: Path) -> Home:
    folders = Home(home)
    folders.prepare()
    return folders


def test_an_empty_home_gets_a_key_that_stays(home: Path) -> None:
    folders = _prepared(home)
    first = load_site_key(Settings())
    assert len(first.secret) == 32
    assert load_site_key(Settings()) == first
    assert stat.S_IMODE((folders.secrets / "site.key").stat().st_mode) == 0o600
    assert [path.name for path in folders.secrets.iterdir()] == ["site.key"]


def test_a_home_with_models_and_configuration_only_counts_as_empty(home: Path) -> None:
    _prepared(home)
    (home / "models").mkdir()
    (home / "models" / "weights").write_bytes(b"x")
    (home / "config.toml").write_text("")
    load_site_key(Settings())


def test_a_home_whose_blob_store_was_opened_only_counts_as_empty(home: Path) -> None:
    folders = _prepared(home)
    open_blob_store(folders.blobs.as_uri())  # an explainer may be faster than the service
    load_site_key(Settings())


@pytest.mark.parametrize("folder", ["blobs", "store"])
def test_a_home_with_data_never_gets_a_new_key(home: Path, folder: str) -> None:
    folders = _prepared(home)
    load_site_key(Settings())
    (folders.secrets / "site.key").unlink()
    (home / folder / "something").write_bytes(b"x")
    with pytest.raises(SiteKeyMismatchError, match="put the key back"):
        load_site_key(Settings())
    assert not (folders.secrets / "site.key").exists()


@pytest.mark.parametrize(
    ("variable", "value"), [("XMIRAD_STORE__KIND", "qdrant"), ("XMIRAD_BLOBS__URL", "s3://bucket")]
)
def test_a_service_with_data_elsewhere_needs_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    _prepared(home)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SiteKeyMismatchError, match="XMIRAD_SITE_KEY_FILE"):
        load_site_key(Settings())


def test_the_file_that_is_set_wins(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = _prepared(home)
    file = tmp_path / "key"
    file.write_bytes(bytes(range(32)))
    file.chmod(0o600)
    monkeypatch.setenv("XMIRAD_SITE_KEY_FILE", str(file))
    assert load_site_key(Settings()).secret == bytes(range(32))
    assert not (folders.secrets / "site.key").exists()


def test_a_file_that_is_set_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_SITE_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(SiteKeyMismatchError, match="cannot be read"):
        load_site_key(Settings())


def test_a_key_of_another_length_is_refused_without_showing_it(home: Path) -> None:
    folders = _prepared(home)
    (folders.secrets / "site.key").write_bytes(b"too short a secret")
    with pytest.raises(SiteKeyMismatchError, match="exactly 32 bytes") as caught:
        load_site_key(Settings())
    assert "too short" not in str(caught.value)


def test_a_key_that_others_can_read_is_warned_of(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = _prepared(home)
    (folders.secrets / "site.key").write_bytes(bytes(32))
    (folders.secrets / "site.key").chmod(0o644)
    load_site_key(Settings())
    assert [record.message for record in caplog.records] == ["site_key.readable_by_others"]
