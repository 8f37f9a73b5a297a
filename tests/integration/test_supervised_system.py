"""The command line with the real service, each process as users start it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.live_service import free_port
from support.models import lite0_artifact, models_dir
from support.supervised import children_of, gone, until
from xmirad.client import Client
from xmirad.client.import_types import LocalDataset
from xmirad.errors import AccessDeniedError, ArchiveNotFoundError
from xmirad.home import Home
from xmirad.phantoms.writing import write_phantoms
from xmirad.supervisor.announcement import find_service

COMMAND = [sys.executable, "-c", "from xmirad.cli.main import main; main()"]


@pytest.fixture(scope="module", autouse=True)
def _models() -> None:
    lite0_artifact()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("XMIRAD_")}
    own = {
        "XMIRAD_HOME": str(tmp_path / "home"),
        "XMIRAD_MODELS_DIR": str(models_dir()),
        "XMIRAD_SERVER__ADDRESS": f"127.0.0.1:{free_port()}",
        "OMP_NUM_THREADS": "1",
    }
    return {**clean, **own}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_phantoms(tmp_path / "data", images_per_class=3, seed=0)
    return tmp_path / "data"


@pytest.fixture
def up(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A running `xmirad up` that is ready."""
    with subprocess.Popen([*COMMAND, "up"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "answers at" in process.stdout.readline()
        yield process
        process.kill()


def _run(environment: dict[str, str], *args: str, code: int = 0) -> Any:  # noqa: ANN401 - whatever a command prints
    done = subprocess.run([*COMMAND, *args, "--json"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def _service_pid(environment: dict[str, str]) -> int:
    service = find_service(Home(Path(environment["XMIRAD_HOME"])))
    assert service is not None
    return service.pid


def test_commands_bring_their_own_service_and_leave_none(environment: dict[str, str], data: Path) -> None:
    first = _run(environment, "index", str(data), "--archive", "phantoms")
    again = _run(environment, "index", str(data), "--archive", "phantoms")
    assert (first["created"], again["created"], again["unchanged"]) == (9, 0, 9)
    query = next((data / "haze").glob("*.png"))
    found = _run(environment, "search", str(query), "--archive", "phantoms", "--exclude-query-item", "-k", "3")
    assert len(found["results"]) == 3
    assert find_service(Home(Path(environment["XMIRAD_HOME"]))) is None
    assert _run(environment, "archive", "verify", "phantoms")["clean"] is True
    rebuilt = _run(environment, "archive", "rebuild", "phantoms")
    assert (rebuilt["items"], rebuilt["state"]) == (9, "ready")


def test_up_serves_and_drains_at_sigint(environment: dict[str, str], up: subprocess.Popen[str]) -> None:
    pid = _service_pid(environment)
    assert _run(environment, "archive", "list") == []
    refused = _run(environment, "archive", "verify", "phantoms", code=1)
    assert refused["error"]["reason"] == "HOME_IN_USE"
    up.send_signal(signal.SIGINT)
    assert up.wait(20) == 0
    assert gone(pid)


def test_index_at_the_homes_own_service_is_an_import_which_others_cannot_begin(
    environment: dict[str, str], data: Path, up: subprocess.Popen[str]
) -> None:
    assert _run(environment, "index", str(data), "--archive", "phantoms")["created"] == 9
    [imported] = _run(environment, "archive", "imports")
    assert (imported["state"], imported["created"], imported["folder"]) == ("succeeded", 9, "")
    service = find_service(Home(Path(environment["XMIRAD_HOME"])))
    assert service is not None
    socket = Path(service.socket.removeprefix("unix:"))
    assert (socket.stat().st_mode & 0o777, socket.parent.stat().st_mode & 0o077) == (0o600, 0)
    with Client(service.address) as stranger, pytest.raises(AccessDeniedError) as denied:
        stranger.create_import("phantoms", LocalDataset(str(data)))
    assert denied.value.field == "dataset.path"
    sent = _run(
        environment | {"XMIRAD_HOME": f"{data}-elsewhere"},
        "--address",
        service.address,
        "index",
        str(data),
        "--archive",
        "sent",
    )
    assert sent["created"] == 9
    assert len(_run(environment, "archive", "imports")) == 1


def test_an_index_outlives_the_kill_of_indexer_and_service(
    environment: dict[str, str], tmp_path: Path, up: subprocess.Popen[str]
) -> None:
    write_phantoms(tmp_path / "many", images_per_class=60, seed=1)
    home = Home(Path(environment["XMIRAD_HOME"]))
    command = [*COMMAND, "index", str(tmp_path / "many"), "--archive", "phantoms", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as index:
        until(lambda: _stored(home) > 20, seconds=60)
        indexer = int(json.loads(home.worker_file("indexer").read_text())["pid"])
        os.killpg(indexer, signal.SIGKILL)
        os.kill(_service_pid(environment), signal.SIGKILL)
        printed, _ = index.communicate(timeout=120)
    assert index.returncode == 0
    found = json.loads(printed)
    assert (found["items"], found["failed"]) == (180, 0)
    assert found["created"] + found["unchanged"] == 180
    with Client(_address(home)) as client:
        assert client.get_archive("phantoms").item_count == 180
        names = [item.name for item in client.list_items("phantoms")]
        assert len(set(names)) == len(names) == 180


def _address(home: Home) -> str:
    service = find_service(home)
    assert service is not None
    return service.address


def _stored(home: Home) -> int:
    """Return how many items the archive holds, or 0 while there is none."""
    with Client(_address(home)) as client:
        try:
            return client.get_archive("phantoms").item_count
        except ArchiveNotFoundError:
            return 0


def test_a_killed_service_is_back_at_the_same_address(environment: dict[str, str], up: subprocess.Popen[str]) -> None:
    pid = _service_pid(environment)
    os.kill(pid, signal.SIGKILL)
    home = Home(Path(environment["XMIRAD_HOME"]))
    until(lambda: (found := find_service(home)) is not None and found.pid != pid, seconds=20)
    assert _run(environment, "archive", "list") == []


def test_nothing_is_left_of_a_killed_up(environment: dict[str, str], up: subprocess.Popen[str]) -> None:
    pid = _service_pid(environment)
    children = children_of(pid)
    assert children
    up.kill()
    until(lambda: all(gone(process) for process in (pid, *children)))


def test_a_missing_site_key_is_named_by_the_command(environment: dict[str, str], data: Path) -> None:
    _run(environment, "index", str(data), "--archive", "phantoms")
    (Path(environment["XMIRAD_HOME"]) / "secrets" / "site.key").unlink()
    error = _run(environment, "archive", "list", code=1)["error"]
    assert error["reason"] == "SITE_KEY_MISMATCH"
    assert "the site key" in error["message"]
    assert "XMIRAD_SITE_KEY_FILE" in error["message"]
