"""Processes that are lost at their work are noticed by whoever works on the same next, on a real Valkey."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.valkey import ValkeyServer, valkey_server
from xmirad.queue.losses import Losses

WORK = "occlusion/image/entry/"
LONGEST_SECONDS = 60.0


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("losses")) as running:
        yield running


@pytest.fixture
def losses(valkey: ValkeyServer) -> Losses:
    valkey.connect().flushall()
    return Losses(valkey.connect(), longest_seconds=LONGEST_SECONDS)


def lost_at(valkey: ValkeyServer, task: str) -> None:
    """Have a process die at a task."""
    begin = (
        "import signal; from xmirad.queue.connection import connect; from xmirad.queue.losses import Losses; "
        f"Losses(connect({valkey.url!r}), longest_seconds={LONGEST_SECONDS}).begin({WORK!r}, {task!r}); "
        "print('begun', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", begin], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()


def test_every_lost_process_counts_once_whatever_its_task_was(valkey: ValkeyServer, losses: Losses) -> None:
    assert losses.begin(WORK, "mine") == 0
    for number in range(3):
        lost_at(valkey, f"task-{number}")

    assert losses.begin(WORK, "another") == 3
    assert losses.begin(WORK, "another") == 3
    assert losses.begin("occlusion/other/entry/", "another") == 0


def test_who_works_or_has_ended_is_not_lost(losses: Losses) -> None:
    for task in ("first", "second"):
        losses.begin(WORK, task)
    losses.end(WORK, "first")

    assert losses.begin(WORK, "third") == 0


def test_work_that_got_on_begins_anew(valkey: ValkeyServer, losses: Losses) -> None:
    lost_at(valkey, "task")
    assert losses.begin(WORK, "next") == 1

    losses.clear(WORK)

    assert losses.begin(WORK, "later") == 0


def test_a_process_of_another_machine_is_lost_after_the_longest_time(valkey: ValkeyServer, losses: Losses) -> None:
    server = valkey.connect()
    server.hset(f"xmirad:working:{WORK}", "there", "elsewhere 1 0.0")

    assert losses.begin(WORK, "here") == 1
