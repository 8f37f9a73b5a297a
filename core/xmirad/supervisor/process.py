"""One supervised process: started on a leash, restarted when it crashes, taken down with all it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xmirad.errors import BackendUnavailableError, XmiradError
from xmirad.home import PRIVATE_FILE, room_lacking
from xmirad.supervisor import leash
from xmirad.supervisor.exits import EXIT_NOT_RESTARTABLE, reported_error
from xmirad.supervisor.log_files import last_error, rotate, tail
from xmirad.supervisor.programs import Program

POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When to restart and when to give up.

    Attributes:
        first_delay_seconds: Pause before the first restart; doubled with every further quick crash.
        longest_delay_seconds: Longest pause.
        quick_seconds: A crash within this time of the start is a quick one.
        quick_crashes: So many quick crashes in a row are the end.
        start_seconds: How long a start may take.
    """

    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 10.0
    quick_seconds: float = 10.0
    quick_crashes: int = 3
    start_seconds: float = 60.0


class SupervisedProcess:
    """Keeps one program running. Not thread-safe: the supervisor's thread alone starts, steps and stops it."""

    def __init__(self, program: Program, *, folder: Path, policy: RestartPolicy, notify: Callable[[str], None]) -> None:
        """Start nothing yet; the log will be `folder/<name>.log`."""
        self.is_ready = False
        self._program = program
        self._log = folder / f"{program.name}.log"
        self._policy = policy
        self._notify = notify
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begin = 0
        self._started = 0.0
        self._restart_at = 0.0
        self._quick_crashes = 0

    def start(self) -> None:
        """Start the program in a process group of its own."""
        rotate(self._log)
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
        self._log_begin = os.fstat(log).st_size
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self._program.command],
                env={**os.environ, **self._program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        finally:
            os.close(log)
        self._started = time.monotonic()

    def step(self) -> None:
        """Look after the process: note that it is ready, and restart it if it has crashed.

        Raises:
            XmiradError: If there is no point in going on: the error that the process reported, else
                BackendUnavailableError; `metadata["tail"]` has the end of its log.
        """
        now = time.monotonic()
        if self._process is None:
            if now >= self._restart_at:
                self.start()
        elif _has_exited(self._process):
            self._crashed(_reap(self._process), now - self._started)
        elif not self.is_ready:
            self._check_start(self._process.pid, now - self._started)
        else:
            rotate(self._log)

    def request_stop(self) -> None:
        """Ask the process to end."""
        if self._process is not None and not _has_exited(self._process):
            os.kill(self._process.pid, signal.SIGTERM)

    def finish_stop(self, *, patience: Callable[[], bool]) -> None:
        """Wait for the process to end and kill it when it takes too long, with all it started.

        Args:
            patience: Asked again and again; False means to kill at once.
        """
        if self._process is None:
            return
        deadline = time.monotonic() + self._program.stop_seconds
        while not _has_exited(self._process) and time.monotonic() < deadline and patience():
            time.sleep(POLL_SECONDS)
        _reap(self._process)
        self._process = None
        self.is_ready = False

    def _check_start(self, pid: int, seconds: float) -> None:
        if self._program.is_ready(pid):
            self.is_ready = True
            self._notify(f"{self._program.name} is ready after {seconds:.1f} s (process {pid})")
        elif seconds > self._policy.start_seconds:
            raise self._failure(f"is not ready after {seconds:.0f} s")

    def _crashed(self, code: int, seconds: float) -> None:
        self._process = None
        was_ready, self.is_ready = self.is_ready, False
        end = f"ended with {_exit_text(code)} after {seconds:.1f} s"
        self._quick_crashes = self._quick_crashes + 1 if seconds < self._policy.quick_seconds else 1
        if code == EXIT_NOT_RESTARTABLE:
            raise self._failure("cannot go on" if was_ready else "cannot start")
        if self._quick_crashes >= self._policy.quick_crashes:
            raise self._failure(f"{end}; given up after {self._quick_crashes} quick crashes")
        delay = self._policy.first_delay_seconds * 2 ** (self._quick_crashes - 1)
        delay = min(delay, self._policy.longest_delay_seconds)
        self._restart_at = time.monotonic() + delay
        reason = self._reason()
        self._notify(
            f"{self._program.name} {end}{f': {reason}' if reason else ''}; starting it again in {delay:.1f} s "
            f"(log: {self._log})"
        )

    def _reason(self) -> str:
        """Return why the process ended, as far as its log and the disk tell; else an empty string."""
        line = last_error(tail(self._log, begin=self._log_begin))
        reported = reported_error(line)
        # A process that dies of a full disk can often write no line about it.
        return (line if reported is None else reported.message) or room_lacking(self._log.parent) or ""

    def _failure(self, what: str) -> XmiradError:
        """Return the error that the process reported, with its reason, else one of a backend that is not there."""
        end = tail(self._log, begin=self._log_begin)
        reported, reason = reported_error(last_error(end)), self._reason()
        message = f"{self._program.name} {what}{f': {reason}' if reason else ''} (log: {self._log})"
        metadata = {"backend": self._program.name, "log": str(self._log), "tail": end}
        if reported is None:
            return BackendUnavailableError(message, metadata=metadata)
        return type(reported)(message, field=reported.field, metadata=metadata)


def _has_exited(process: subprocess.Popen[bytes]) -> bool:
    """Look without reaping, so that the id of the process group cannot be given to others meanwhile."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Kill what is left of the process group and return the exit code."""
    with suppress(ProcessLookupError, PermissionError):  # nothing is left of it
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
