"""Keeps a list of programs running until told to stop."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from xmirad.errors import XmiradError
from xmirad.supervisor.process import POLL_SECONDS, RestartPolicy, SupervisedProcess
from xmirad.supervisor.programs import Program

DEFAULT_POLICY = RestartPolicy()
WATCH_SECONDS = 0.2


class Supervisor:
    """Starts programs, restarts what crashes and takes all of them down.

    `run` belongs to one thread, which must live as long as the programs are to: they die with it. The other methods may
    be called from any thread and from signal handlers.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        folder: Path,
        notify: Callable[[str], None],
        policy: RestartPolicy = DEFAULT_POLICY,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            programs: What to run.
            folder: Where logs go.
            notify: Told in a sentence what happens.
            policy: When to restart and when to give up.
            on_ready: Called once, when all programs are ready for the first time.
        """
        self._on_ready = on_ready
        self._processes = [
            SupervisedProcess(program, folder=folder, policy=policy, notify=notify) for program in programs
        ]
        self._stop_requests = 0
        self._ready = threading.Event()
        self._failure: XmiradError | None = None

    @property
    def failure(self) -> XmiradError | None:
        """Why the supervisor gave up, or None."""
        return self._failure

    def run(self) -> None:
        """Run the programs until `stop` is called.

        Raises:
            XmiradError: If a program cannot be kept running; all are down by then.
        """
        try:
            for process in self._processes:
                process.start()
            while not self._stop_requests:
                self._step()
        except XmiradError as error:
            self._failure = error
            raise
        finally:
            self._take_down()
            self._ready.set()

    def stop(self) -> None:
        """End `run`: the programs may finish what they do; called again, they are killed."""
        self._stop_requests += 1

    def wait_until_ready(self) -> None:
        """Wait until all programs have been ready once.

        Raises:
            XmiradError: If the supervisor gave up.
        """
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def _step(self) -> None:
        for process in self._processes:
            process.step()
        if not self._ready.is_set() and all(process.is_ready for process in self._processes):
            self._ready.set()
            if self._on_ready is not None:
                self._on_ready()
        time.sleep(WATCH_SECONDS if self._ready.is_set() else POLL_SECONDS)

    def _take_down(self) -> None:
        for process in reversed(self._processes):
            process.request_stop()
        for process in reversed(self._processes):
            process.finish_stop(patience=lambda: self._stop_requests <= 1)
