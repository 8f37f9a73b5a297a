"""The services of docker-compose.yml as plain processes: import, search and explain, and nothing is left behind."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from make_secrets import make_secrets
from stack import Stack
from support.models import lite0_artifact, models_dir
from xmirad.client.client import Client
from xmirad.client.credentials import Credentials
from xmirad.client.explanation_types import OcclusionMethod
from xmirad.errors import UnauthenticatedError
from xmirad.phantoms.writing import write_phantoms
from xmirad.types import ExplanationState, ImportState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
START_SECONDS = 90.0
QUICK = OcclusionMethod(window=56, stride=28)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    lite0_artifact()
    folder = tmp_path_factory.mktemp("stack")
    make_secrets(folder / "secrets")
    network = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"  # noqa: S311 - away from other stacks
    stack = Stack(folder / "work", folder / "secrets", models_dir(), network=network, scale={"explainer": 2})
    began = time.monotonic()
    stack.start(seconds=START_SECONDS)
    print(f"healthy after {time.monotonic() - began:.1f} s")
    try:
        yield stack
    finally:
        stack.stop()
    assert not [part.name for part in stack.parts if part.process and part.process.poll() is None]
    with socket.socket() as probe:
        assert probe.connect_ex((stack.addresses["retrieval"], 50051)) != 0


@pytest.fixture
def client(running: Stack) -> Iterator[Client]:
    credentials = Credentials(token_file=running.secrets / "demo_token")
    with Client(f"{running.addresses['retrieval']}:50051", credentials=credentials) as connected:
        yield connected


def test_a_stranger_is_not_let_in(running: Stack) -> None:
    with Client(f"{running.addresses['retrieval']}:50051") as stranger, pytest.raises(UnauthenticatedError):
        list(stranger.list_archives())


def test_what_an_indexer_imports_is_found_and_explained(running: Stack, client: Client) -> None:
    write_phantoms(running.work / "volumes" / "phantoms", images_per_class=3, seed=7)
    client.create_archive("phantoms")
    imported = list(client.watch_import(client.create_import("phantoms", "phantoms").name))[-1]
    assert (imported.state, imported.created) == (ImportState.SUCCEEDED, 9)

    query = next(iter(client.list_items("phantoms"))).name
    found = client.search("phantoms", query, top_k=3)
    explained = list(client.explain(query, found.results[1].item, method=QUICK))[-1]
    assert explained.state is ExplanationState.SUCCEEDED
    assert explained.maps[0].values.shape == (224, 224)


def test_the_doctor_finds_nothing_wrong_where_retrieval_runs(running: Stack) -> None:
    retrieval = next(part for part in running.parts if part.service["name"] == "retrieval")
    command = [str(Path(sys.executable).with_name("xmirad")), "doctor", "--json"]
    done = subprocess.run(command, env=retrieval.environment, capture_output=True, text=True, check=False)
    states = {finding["name"]: finding["state"] for finding in json.loads(done.stdout)["findings"]}
    wrong = {name for name, state in states.items() if state != "ok" and not name.startswith("disk")}
    assert wrong == set(), done.stdout


def test_every_service_stays_healthy(running: Stack) -> None:
    for part in running.parts:
        part.is_done = False
        part.look()
        assert part.is_done, part.name


def test_no_secret_is_logged(running: Stack) -> None:
    texts = [(file, file.read_text(errors="replace")) for file in (running.work / "logs").iterdir()]
    for secret in ("redis_password", "qdrant_api_key", "demo_token"):
        value = (running.secrets / secret).read_text().strip()
        assert [file.name for file, text in texts if value in text] == []


@pytest.mark.parametrize("secret", ["redis_password", "qdrant_api_key"])
def test_no_secret_stands_in_a_command_line(running: Stack, secret: str) -> None:
    value = (running.secrets / secret).read_text().strip()
    shown = {part.name: Path(f"/proc/{part.process.pid}/cmdline").read_text() for part in running.parts if part.process}
    assert [name for name, line in shown.items() if value in line] == []
    assert value not in os.environ.values()
