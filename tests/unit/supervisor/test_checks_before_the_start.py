import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from xmirad.errors import BackendUnavailableError, InvalidRequestError, ModelNotFoundError
from xmirad.home import LEAST_FREE_BYTES, Home
from xmirad.settings_sources import load_settings
from xmirad.supervisor.starting import check_models, check_room, check_start, missing_model


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XMIRAD_MODELS_DIR", str(tmp_path / "models"))


def figures(*, free: int, files: int = 10_000) -> os.statvfs_result:
    found = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_files=1 << 20, f_favail=files)
    return found  # type: ignore[return-value] # has what is read of it


def test_settings_that_would_be_refused_are_refused_before_the_start() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_start(load_settings({"server": {"address": "0.0.0.0:0"}}), address="0.0.0.0:0")
    assert caught.value.field == "security.tokens"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (figures(free=LEAST_FREE_BYTES // 2), r"only 32 MiB are free at .*, and a start needs 64 MiB: free space, or"),
        (figures(free=1 << 40, files=3), r"only 3 more files can be made at .*: free space, or name another home"),
    ],
)
def test_a_full_file_system_is_named_before_the_start(found: os.statvfs_result, message: str) -> None:
    with pytest.raises(BackendUnavailableError, match=message) as caught:
        check_room(load_settings(), read=lambda _path: found)
    assert caught.value.field == "home"
    check_room(load_settings(), read=lambda _path: figures(free=1 << 40))


def test_a_home_that_cannot_be_written_to_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(
        BackendUnavailableError, match=r"Read-only file system; make it writable .* or name another one"
    ):
        Home(tmp_path / "home").prepare()


def test_where_there_is_no_model_the_command_that_builds_one_is_offered(tmp_path: Path) -> None:
    settings = load_settings()
    with pytest.raises(ModelNotFoundError, match="xmirad models build efficientnet-lite0-imagenet"):
        check_models(settings)
    warning = missing_model(settings)
    assert warning is not None
    assert "there is none yet" in warning
    assert warning.endswith("build it: xmirad models build efficientnet-lite0-imagenet")
