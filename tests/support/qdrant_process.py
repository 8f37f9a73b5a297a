"""The Qdrant stand-in as a process of its own, which can be stopped and started on the same port."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.live_service import STOP_SECONDS, free_port
from support.project import ROOT


@dataclass(slots=True)
class QdrantProcess:
    """A stand-in that keeps its items in memory, so they are gone when it stops."""

    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Its gRPC URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        path = os.pathsep.join((str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.qdrant_server", "--port", str(self.port)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == self.url

    def stop(self) -> None:
        """Kill it, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def pause(self) -> None:
        """Let it answer nothing, with its connections kept."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def qdrant_process() -> Iterator[QdrantProcess]:
    """Yield a stand-in that runs, and end it."""
    qdrant = QdrantProcess()
    qdrant.start()
    try:
        yield qdrant
    finally:
        qdrant.stop()
