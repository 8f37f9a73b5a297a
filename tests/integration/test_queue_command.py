"""`xmirad queue` on a real Valkey."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.catalogs import sqlite_catalog
from support.command import arguments, environment, run_json
from support.entries import ENTRY
from support.valkey import ValkeyServer, valkey_server
from xmirad.explanations.ports import QueueName
from xmirad.queue.app import celery_app
from xmirad.queue.dead_letters import DeadLetters
from xmirad.queue.payloads import FILL, INDEX, FillTask, ImportTask
from xmirad.queue.task_queue import RedisTaskQueue
from xmirad.queue.workers import WorkerRoll
from xmirad.settings import QueueSettings

WITHOUT_REDIS = "import sys; sys.modules['redis'] = None; from xmirad.cli.main import main; main()"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("command") / "home") as server:
        yield server


@pytest.fixture
def server(running: ValkeyServer) -> ValkeyServer:
    running.connect().flushall()
    return running


@pytest.fixture
def home(server: ValkeyServer) -> Path:
    sqlite_catalog(server.home.root).archives()  # makes it, as the service has
    return server.home.root


@pytest.fixture
def letters(server: ValkeyServer) -> list[str]:
    """Two tasks that were given up; return their keys."""
    dead = DeadLetters(server.connect(), celery_app(server.url, QueueSettings()))
    tasks = [FillTask(ENTRY, chunk, QueueName.INTERACTIVE) for chunk in range(2)]
    for task in tasks:
        dead.add(task.key, task=FILL, payload=task.to_document(), reason="WORKER_LOST", attempts=3)
    return [task.key for task in tasks]


def _run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments(home, "queue", *words), env=environment(), capture_output=True, text=True, check=False
    )


def test_the_status_shows_queues_workers_and_dead_letters(server: ValkeyServer, home: Path, letters: list[str]) -> None:
    queue = RedisTaskQueue(celery_app(server.url, QueueSettings()), server.connect(), max_waiting=100)
    queue.fill(ENTRY, [0, 1, 2], queue=QueueName.BACKGROUND)
    WorkerRoll(server.connect()).beat("explainer-7@here")

    status = run_json(home, "queue", "status")

    assert status["queues"]["background"]["waiting"] == 3
    assert 0 <= status["queues"]["background"]["oldest_seconds"] < 60
    assert status["queues"]["interactive"] == {"waiting": 0, "oldest_seconds": None}
    assert (status["workers"], status["dead_letters"], status["taken"]) == (["explainer-7@here"], 2, 0)
    text = _run(home, "status").stdout
    assert "1 workers: explainer-7@here" in text
    assert "2 given up; see `xmirad queue dead`" in text


def test_dead_letters_are_listed_and_tried_again(server: ValkeyServer, home: Path, letters: list[str]) -> None:
    listed = json.loads(_run(home, "dead", "--json").stdout)
    assert [letter["key"] for letter in listed] == letters
    assert listed[0]["reason"] == "WORKER_LOST"

    assert run_json(home, "queue", "requeue", letters[0]) == {"requeued": 1}

    assert server.connect().llen(QueueName.BACKGROUND) == 1
    assert [letter["key"] for letter in json.loads(_run(home, "dead", "--json").stdout)] == letters[1:]
    assert run_json(home, "queue", "requeue", "--all") == {"requeued": 1}


def test_a_step_of_an_import_is_not_tried_again(server: ValkeyServer, home: Path, letters: list[str]) -> None:
    step = ImportTask("chest", "c" * 32, 1, 0)
    dead = DeadLetters(server.connect(), celery_app(server.url, QueueSettings()))
    dead.add(step.key, task=INDEX, payload=step.to_document(), reason="WORKER_LOST", attempts=3)

    error = run_json(home, "queue", "requeue", letters[0], step.key, expected_code=2)["error"]
    assert (error["reason"], error["field"]) == ("FIELD_INVALID", "keys")
    assert "begin a new import" in error["message"]
    assert run_json(home, "queue", "status")["dead_letters"] == 3

    done = _run(home, "requeue", "--all")
    assert "2 tasks wait again" in done.stdout
    assert "1 tasks of imports stay" in done.stderr
    assert [letter["key"] for letter in json.loads(_run(home, "dead", "--json").stdout)] == [step.key]
    assert server.connect().llen(QueueName.INDEX) == 0


def test_dead_letters_are_thrown_away_only_by_force(home: Path, letters: list[str]) -> None:
    assert run_json(home, "queue", "purge", "--all") == {"selected": 2, "purged": 0}
    assert "--force does it" in _run(home, "purge", "--all").stdout
    assert run_json(home, "queue", "purge", letters[1], "--force") == {"selected": 1, "purged": 1}
    assert run_json(home, "queue", "status")["dead_letters"] == 1


@pytest.mark.parametrize("words", [["requeue"], ["purge"], ["requeue", "a", "--all"], ["requeue", "unknown"]])
def test_it_must_be_clear_which_tasks_are_meant(home: Path, letters: list[str], words: list[str]) -> None:
    error = run_json(home, "queue", *words, expected_code=2)["error"]
    assert (error["reason"], error["field"]) == ("FIELD_INVALID", "keys")


def test_a_queue_that_is_not_there_is_said_to_be_unavailable(tmp_path: Path) -> None:
    error = run_json(tmp_path, "queue", "status", expected_code=3)["error"]
    assert "set queue.url" in error["message"]
    done = subprocess.run(
        arguments(tmp_path, "queue", "status", "--json"),
        env=environment(XMIRAD_QUEUE__URL=f"unix://{tmp_path}/nobody.sock"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["error"]["backend"] == "queue"


def test_an_install_without_redis_says_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_REDIS, "--home", str(tmp_path), "queue", "status"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "needs the Python package redis: install xmirad[server]" in done.stderr
