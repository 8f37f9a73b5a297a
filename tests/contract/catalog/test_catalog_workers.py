"""Which workers were lost at the same work, whatever host names and process ids say."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, update

from support.plans import assert_no_scan
from xmirad.catalog import workers as worker_rows
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.tables import workers
from xmirad.catalog.workers import GRACE_SECONDS, KEPT_SECONDS, SILENT_SECONDS, WorkerProcess, forget_ended
from xmirad.errors import BackendUnavailableError

Open = Callable[..., Catalog]
WORK = "occlusion/image/entry/"


@pytest.fixture
def database(catalog: Catalog) -> Database:
    catalog.archives()
    return catalog.database


@pytest.fixture
def worker(database: Database) -> WorkerProcess:
    return WorkerProcess(database, parent="mine")


def others(database: Database, count: int, *, parent: str) -> list[WorkerProcess]:
    """Have others begin the same work; they answer to the host name and process id of this process."""
    found = [WorkerProcess(database, parent=parent) for _ in range(count)]
    for other in found:
        other.begin(WORK)
    return found


def pass_time(database: Database, seconds: float) -> None:
    """Let the times that were noted be so long ago."""
    milliseconds = round(seconds * 1_000)
    earlier = {
        "heartbeat_ms": workers.c.heartbeat_ms - milliseconds,
        "silent_ms": workers.c.silent_ms - milliseconds,
    }
    database.write(lambda connection: connection.execute(update(workers).values(earlier)))


def set_pids(database: Database, pid: int) -> None:
    database.write(lambda connection: connection.execute(update(workers).values(pid=pid)))


def die_at_work(database: Database, url: str, *, parent: str) -> None:
    """Have another process die at the work."""
    begin = (
        "import signal; from xmirad.catalog.database import Database; "
        "from xmirad.catalog.workers import WorkerProcess; "
        f"WorkerProcess(Database({url!r}), parent={parent!r}).begin({WORK!r}); "
        "print('begun', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", begin], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGKILL)


def test_processes_forked_from_the_same_one_are_lost_as_soon_as_they_have_ended(
    database: Database, worker: WorkerProcess, url: str
) -> None:
    for _ in range(3):
        die_at_work(database, url, parent="mine")

    assert worker.begin(WORK) == 3
    assert worker.begin(WORK) == 3  # each counts once
    assert worker.begin("occlusion/other/entry/") == 0


def test_living_processes_of_another_container_with_the_same_host_name_are_not_lost(
    database: Database, worker: WorkerProcess
) -> None:
    others(database, 3, parent=socket.gethostname())
    set_pids(database, 4_000_000)  # there is no such process here

    assert worker.begin(WORK) == 0


def test_a_dead_worker_whose_process_id_is_used_again_is_lost_once_it_was_silent_long_enough(
    database: Database, worker: WorkerProcess
) -> None:
    others(database, 1, parent="before the restart")
    set_pids(database, os.getpid())
    pass_time(database, SILENT_SECONDS + 1.0)

    assert worker.begin(WORK) == 0  # it may only have had no catalog
    pass_time(database, GRACE_SECONDS + 1.0)
    assert worker.begin(WORK) == 1


def test_whoever_is_heard_again_after_the_catalog_was_away_is_not_lost(
    database: Database, worker: WorkerProcess
) -> None:
    (other,) = others(database, 1, parent="theirs")
    pass_time(database, 10 * SILENT_SECONDS)
    assert worker.begin(WORK) == 0

    other.beat()

    pass_time(database, GRACE_SECONDS + 1.0)
    assert worker.begin(WORK) == 0


def test_nobody_is_lost_while_the_catalog_is_away(database: Database, worker: WorkerProcess) -> None:
    (other,) = others(database, 1, parent="theirs")
    pass_time(database, SILENT_SECONDS + 1.0)
    lost = WorkerProcess(Database("postgresql://postgres@127.0.0.1:9/nothing"), parent="mine")
    with pytest.raises(BackendUnavailableError):
        lost.begin(WORK)
    lost.end()
    other.beat()
    assert worker.begin(WORK) == 0


def test_whoever_has_ended_or_gone_on_to_other_work_is_not_lost(database: Database, worker: WorkerProcess) -> None:
    first, second = others(database, 2, parent="mine")
    first.end()
    second.begin("occlusion/other/entry/")
    set_pids(database, 4_000_000)

    assert worker.begin(WORK) == 0


def test_a_heartbeat_keeps_the_work_and_does_not_bring_back_an_earlier_one(
    database: Database, worker: WorkerProcess
) -> None:
    (other,) = others(database, 1, parent="mine")
    other.beat()
    set_pids(database, 4_000_000)
    assert worker.begin(WORK) == 1  # it is found at its work after a heartbeat

    (other,) = others(database, 1, parent="mine")
    database.write(lambda connection: worker_rows.set_work(connection, other.id, None))
    other.beat()  # as if its thread were behind
    set_pids(database, 4_000_000)
    assert worker.begin(WORK) == 1


def test_work_that_got_on_begins_anew(database: Database, worker: WorkerProcess, url: str) -> None:
    die_at_work(database, url, parent="mine")
    assert worker.begin(WORK) == 1

    assert worker.clear(WORK)
    assert not worker.clear(WORK)  # of several who give it up one is told so

    assert worker.begin(WORK) == 0


def test_the_one_that_had_a_process_id_before_has_ended(database: Database, worker: WorkerProcess) -> None:
    others(database, 1, parent="mine")
    assert worker.begin(WORK) == 0

    database.write(lambda connection: forget_ended(connection, worker.id, "mine"))

    assert worker.begin(WORK) == 1


def test_a_lost_worker_is_counted_once_by_several_who_look_at_the_same_time(
    database: Database, open_catalog: Open
) -> None:
    others(database, 2, parent="mine")
    set_pids(database, 4_000_000)
    lookers = [WorkerProcess(open_catalog().database, parent="mine") for _ in range(4)]
    for looker in lookers:
        looker.begin("something else")
    threads = [threading.Thread(target=looker.begin, args=[WORK]) for looker in lookers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lookers[0].begin(WORK) == 2


def test_what_nobody_asks_for_any_more_is_deleted(database: Database, worker: WorkerProcess) -> None:
    others(database, 3, parent="theirs")
    pass_time(database, KEPT_SECONDS + 1.0)
    worker.begin(WORK)

    database.write(lambda connection: forget_ended(connection, worker.id, "mine"))

    rows = database.read(lambda connection: connection.execute(workers.select()).all())
    assert [row.worker for row in rows] == [worker.id]


def test_no_statement_of_workers_reads_a_whole_table(database: Database, worker: WorkerProcess, url: str) -> None:
    def forget(connection: Connection) -> None:
        forget_ended(connection, worker.id, "mine")

    die_at_work(database, url, parent="mine")
    assert_no_scan(database, lambda: worker.begin(WORK))
    assert_no_scan(database, worker.beat)
    assert_no_scan(database, worker.end)
    assert_no_scan(database, lambda: worker.clear(WORK))
    assert_no_scan(database, lambda: database.write(forget))
