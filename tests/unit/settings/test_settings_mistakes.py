from pathlib import Path

import pytest

from xmirad.errors import InvalidRequestError
from xmirad.settings_sources import load_settings


def _mistake() -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        load_settings()
    return caught.value


def test_an_unknown_variable_is_named_with_close_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_SERVER__ADRESS", "127.0.0.1:1")
    error = _mistake()
    assert error.field == "XMIRAD_SERVER__ADRESS"
    assert "XMIRAD_SERVER__ADDRESS" in error.message


def test_an_unknown_key_of_the_file_is_named_with_close_matches(home: Path) -> None:
    (home / "config.toml").write_text("[threads]\nmodels = 1\n")
    error = _mistake()
    assert error.field == "threads.models"
    assert "threads.model" in error.metadata["close_matches"]


def test_an_unknown_group_of_the_file_is_named(home: Path) -> None:
    (home / "config.toml").write_text('[sever]\naddress = "127.0.0.1:1"\n')
    assert _mistake().field == "sever"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("XMIRAD_SERVER__ADDRESS", "nowhere"),
        ("XMIRAD_SERVER__ADDRESS", "127.0.0.1:70000"),
        ("XMIRAD_LIMITS__MAX_TOP_K", "0"),
        ("XMIRAD_STORE__KIND", "faiss"),
        ("XMIRAD_METRICS__PORT", "many"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    error = _mistake()
    assert error.field == variable
    assert error.metadata["source"] == "environment"


def test_a_value_of_the_file_that_is_not_allowed_is_named_by_its_key(home: Path) -> None:
    (home / "config.toml").write_text("[limits]\nmax_top_k = -1\n")
    error = _mistake()
    assert error.field == "limits.max_top_k"
    assert error.metadata["source"] == "file"


def test_json_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_THREADS", "{")
    assert "threads" in _mistake().message


def test_a_file_that_is_no_toml_is_an_error(home: Path) -> None:
    (home / "config.toml").write_text("site = \n")
    assert _mistake().field == "config"


def test_a_named_file_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_CONFIG", str(tmp_path / "absent.toml"))
    assert _mistake().field == "XMIRAD_CONFIG"


def test_a_file_cannot_move_the_home_it_was_found_in(home: Path) -> None:
    (home / "config.toml").write_text('home = "/elsewhere"\n')
    assert _mistake().field == "home"


@pytest.mark.parametrize("url", ["http://user:hunter2@127.0.0.1:6334", "https://hunter2@qdrant:6334"])
def test_an_address_of_the_store_with_credentials_is_refused_and_they_are_not_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("XMIRAD_STORE__URL", url)
    error = _mistake()
    assert error.field == "XMIRAD_STORE__URL"
    assert "store.api_key_file" in error.message
    assert "hunter2" not in str(error)
