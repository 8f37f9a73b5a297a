"""Flower with our configuration, beside a live worker on a real Valkey."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from support.live_explainer import SMALL, LiveExplainer, live_explainer
from support.live_service import free_port
from support.project import ROOT
from support.web import get, wait_for
from xmirad.types import ExplanationState

CONFIG = ROOT / "deploy" / "flower" / "flowerconfig.py"
LOGIN = "operator:correct horse"
START_SECONDS = 30.0
SEEDS = count(2)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveExplainer]:
    with live_explainer(tmp_path / "home") as explainer:
        explainer.start_worker()
        yield explainer


def _environment(home: Path, auth_file: Path) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("XMIRAD_", "FLOWER_"))}
    return {**clean, "XMIRAD_HOME": str(home), "FLOWER_AUTH_FILE": str(auth_file), "PYTHONUNBUFFERED": "1"}


def _command(*options: str) -> list[str]:
    return [sys.executable, "-m", "celery", "flower", f"--conf={CONFIG}", *options]


@contextmanager
def _flower(home: Path, auth_file: Path) -> Iterator[str]:
    port = free_port()
    options = ("--address=127.0.0.1", f"--port={port}")
    with subprocess.Popen(_command(*options), env=_environment(home, auth_file), cwd=home) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: get(f"{url}/healthcheck")[0] == 200, seconds=START_SECONDS)
            yield url
        finally:
            process.terminate()


def _is_shown(live: LiveExplainer, url: str) -> bool:
    """Have something computed that is not there yet, and return whether a task of this kind is shown."""
    request = live.request(live.image(1), live.image(next(SEEDS)), SMALL)
    live.wait(live.create(request), lambda snapshot: snapshot.state is ExplanationState.SUCCEEDED)
    return "xmirad.fill" in get(f"{url}/api/tasks", credentials=LOGIN)[1]


@pytest.mark.slow
def test_flower_shows_workers_and_tasks_to_those_with_a_password(live: LiveExplainer, tmp_path: Path) -> None:
    auth_file = tmp_path / "flower_auth"
    auth_file.write_text(f"# who may look\n{LOGIN}\n")
    assert live.worker is not None
    with _flower(live.settings.home, auth_file) as url:
        for page in ("/workers", "/api/workers", "/api/tasks"):
            assert get(url + page)[0] == 401
            assert get(url + page, credentials="operator:wrong")[0] == 401
        worker = re.compile(r"explainer-[0-9a-f]+@")
        wait_for(lambda: bool(worker.search(get(f"{url}/workers", credentials=LOGIN)[1])), seconds=START_SECONDS)
        # Workers send no events until Flower has told them to, which it does every five seconds.
        wait_for(lambda: _is_shown(live, url), seconds=START_SECONDS, pause=1.0)
        tasks = json.loads(get(f"{url}/api/tasks", credentials=LOGIN)[1])
        arguments = {(task["args"], task["kwargs"]) for task in tasks.values()}
        assert ("...", "...") in arguments
        assert arguments <= {("...", "..."), (None, None)}  # nothing of a task whose beginning was missed


@pytest.mark.parametrize("content", [None, "", "# nobody\n", "operator\n", "operator:\n"])
def test_flower_does_not_start_without_passwords(tmp_path: Path, content: str | None) -> None:
    auth_file = tmp_path / "flower_auth"
    if content is not None:
        auth_file.write_text(content)
    environment = {**_environment(tmp_path, auth_file), "XMIRAD_QUEUE__URL": "redis://127.0.0.1:1"}
    done = subprocess.run(_command(), env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert str(auth_file) in done.stderr


def test_flower_does_not_start_without_a_queue(tmp_path: Path) -> None:
    auth_file = tmp_path / "flower_auth"
    auth_file.write_text(LOGIN)
    environment = _environment(tmp_path, auth_file)
    done = subprocess.run(_command(), env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "XMIRAD_QUEUE__URL" in done.stderr
