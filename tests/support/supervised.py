"""A supervisor of one fake program, for tests."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from support import fake_program
from xmirad.errors import XmiradError
from xmirad.supervisor.process import RestartPolicy
from xmirad.supervisor.programs import Program
from xmirad.supervisor.supervisor import Supervisor

POLICY = RestartPolicy(first_delay_seconds=0.02, quick_crashes=3, start_seconds=5.0)


class Rig:
    """A supervisor of one fake program, running in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.messages: list[str] = []
        self.supervisor: Supervisor | None = None

    def program(self, mode: str, *options: str, stop_seconds: float = 5.0) -> Program:
        def is_ready(pid: int) -> bool:
            ready = self.folder / "ready"
            return ready.exists() and ready.read_text() == str(pid)

        command = (sys.executable, fake_program.__file__, str(self.folder), mode, *options)
        return Program("fake", command, is_ready, stop_seconds=stop_seconds)

    def start(self, program: Program, policy: RestartPolicy = POLICY) -> Supervisor:
        self.supervisor = Supervisor([program], folder=self.folder, notify=self.messages.append, policy=policy)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self.supervisor

    def stop(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
            self._thread.join()

    def pid(self) -> int:
        return int((self.folder / "ready").read_text())

    def starts(self) -> int:
        return len((self.folder / "starts").read_text())

    def _run(self) -> None:
        assert self.supervisor is not None
        try:
            self.supervisor.run()
        except XmiradError as error:
            self.messages.append(error.message)


def until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Return whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, by any of its threads."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
