import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import fake_program
from support.supervised import POLICY, Rig, gone, until
from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.supervisor.log_files import last_error
from xmirad.supervisor.process import RestartPolicy

SUPERVISE = """
import sys, time
from pathlib import Path
from support.supervised import Rig
rig = Rig(Path(sys.argv[1]))
rig.start(rig.program("run"))
rig.supervisor.wait_until_ready()
print("ready", flush=True)
time.sleep(60)
"""


def test_a_program_is_started_and_may_drain_when_stopped(rig: Rig) -> None:
    rig.start(rig.program("run")).wait_until_ready()
    pid = rig.pid()
    rig.stop()
    assert gone(pid)
    assert (rig.folder / "drained").exists()
    assert rig.starts() == 1


def test_a_crashed_program_is_started_again(rig: Rig) -> None:
    supervisor = rig.start(rig.program("crash-once"))
    supervisor.wait_until_ready()
    assert rig.starts() == 2
    assert "exit code 3" in rig.messages[0]
    assert "s: boom; starting it again" in rig.messages[0]


def test_a_killed_program_is_started_again(rig: Rig) -> None:
    rig.start(rig.program("run")).wait_until_ready()
    first = rig.pid()
    os.kill(first, signal.SIGKILL)
    until(lambda: rig.starts() == 2 and rig.pid() != first)
    assert any("SIGKILL" in message for message in rig.messages)


def test_quick_crashes_end_in_giving_up_with_the_end_of_the_log(rig: Rig) -> None:
    supervisor = rig.start(rig.program("crash"))
    with pytest.raises(BackendUnavailableError, match="given up after 3 quick crashes") as caught:
        supervisor.wait_until_ready()
    assert rig.starts() == 3
    assert caught.value.metadata["tail"] == "line one\nboom"


def test_pauses_between_restarts_grow(rig: Rig) -> None:
    supervisor = rig.start(rig.program("crash"), RestartPolicy(first_delay_seconds=0.1, quick_crashes=4))
    with pytest.raises(BackendUnavailableError):
        supervisor.wait_until_ready()
    pauses = [message.partition("again in ")[2][:5] for message in rig.messages if "again in" in message]
    assert pauses == ["0.1 s", "0.2 s", "0.4 s"]


def test_a_program_that_cannot_start_is_not_started_again(rig: Rig) -> None:
    supervisor = rig.start(rig.program("refuse"))
    with pytest.raises(BackendUnavailableError, match="cannot start") as caught:
        supervisor.wait_until_ready()
    assert rig.starts() == 1
    assert caught.value.metadata["tail"] == "the site key is missing"
    assert "cannot start: the site key is missing (log: " in caught.value.message


def test_a_refusal_of_the_program_is_raised_as_its_own_error(rig: Rig) -> None:
    supervisor = rig.start(rig.program("refuse-setting"))
    with pytest.raises(InvalidRequestError) as caught:
        supervisor.wait_until_ready()
    assert caught.value.field == "security.tokens"
    assert "fake cannot start: no tokens are asked for (log: " in caught.value.message


def test_giving_up_names_the_last_error_of_the_log(rig: Rig) -> None:
    supervisor = rig.start(rig.program("crash"))
    with pytest.raises(BackendUnavailableError, match="given up after 3 quick crashes: boom"):
        supervisor.wait_until_ready()


def test_giving_up_without_a_word_in_the_log_looks_for_a_full_disk(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmirad.supervisor.process.room_lacking", lambda _folder: "only 0 MiB are free")
    supervisor = rig.start(rig.program("crash-silently"))
    with pytest.raises(BackendUnavailableError, match="given up after 3 quick crashes: only 0 MiB are free"):
        supervisor.wait_until_ready()


def test_a_program_that_never_gets_ready_is_given_up_and_taken_down(rig: Rig) -> None:
    program = rig.program("run")
    never = type(program)(program.name, program.command, lambda _pid: False)
    supervisor = rig.start(never, RestartPolicy(start_seconds=1.0))
    with pytest.raises(BackendUnavailableError, match="not ready after"):
        supervisor.wait_until_ready()
    rig.stop()
    assert gone(rig.pid())


def test_a_stubborn_program_is_killed_with_its_children(rig: Rig) -> None:
    rig.start(rig.program("stubborn", "--child", stop_seconds=0.2)).wait_until_ready()
    pids = rig.pid(), int((rig.folder / "child").read_text())
    rig.stop()
    until(lambda: all(gone(pid) for pid in pids))
    assert not (rig.folder / "drained").exists()


def test_a_second_stop_does_not_wait(rig: Rig) -> None:
    supervisor = rig.start(rig.program("stubborn", stop_seconds=60))
    supervisor.wait_until_ready()
    supervisor.stop()
    rig.stop()
    assert gone(rig.pid())


def test_children_of_a_crashed_program_do_not_outlive_it(rig: Rig) -> None:
    rig.start(rig.program("run", "--child")).wait_until_ready()
    child = int((rig.folder / "child").read_text())
    os.kill(rig.pid(), signal.SIGKILL)
    until(lambda: gone(child))


def test_nothing_survives_a_killed_supervisor(tmp_path: Path) -> None:
    tests = str(Path(fake_program.__file__).parents[1])
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": tests},
        stdout=subprocess.PIPE,
    )
    with supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"ready\n"
        pid = int((tmp_path / "ready").read_text())
        supervisor.kill()
    until(lambda: gone(pid))


def test_the_log_is_moved_aside_when_it_is_large(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmirad.supervisor.log_files.MAX_LOG_BYTES", 10)
    (rig.folder / "fake.log").write_text("old and long enough\n")
    rig.start(rig.program("run"), POLICY).wait_until_ready()
    assert (rig.folder / "fake.log.old").read_text() == "old and long enough\n"
    assert (rig.folder / "fake.log").read_text() == ""


def test_a_structured_event_is_no_sentence_for_people() -> None:
    assert last_error('one\n{"event": "service.stopped"}') == ""
    assert last_error("one\ntwo") == "two"
    assert last_error("") == ""


def test_an_exception_is_found_before_the_events_of_the_end() -> None:
    log = 'Traceback:\nOSError: [Errno 28] No space left on device\n{"event": "service.stopped"}\n'
    assert last_error(log) == "OSError: [Errno 28] No space left on device"
