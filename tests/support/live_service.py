"""A retrieval service as its own process, with a home of its own, for tests that need the real thing."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.models import models_dir
from xmirad.client.client import Client
from xmirad.client.credentials import NO_CREDENTIALS, Credentials

START_SECONDS = 30.0
STOP_SECONDS = 20.0


@dataclass(slots=True)
class LiveService:
    """A service that can be started, killed and started again on the same home."""

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    process: subprocess.Popen[bytes] | None = None
    python: str = sys.executable
    credentials: Credentials = NO_CREDENTIALS

    @property
    def log(self) -> Path:
        """Where everything goes that the process prints."""
        return self.home / "service.log"

    def start(self, *, at: str = "", **environment: str) -> Client:
        """Start the process, at an address or anywhere, and return a client when it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.address = at or f"127.0.0.1:{free_port()}"
        own = {
            "XMIRAD_HOME": str(self.home),
            "XMIRAD_MODELS_DIR": str(models_dir()),
            "XMIRAD_SERVER__ADDRESS": self.address,
            "OMP_NUM_THREADS": "1",
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.python, "-m", "xmirad_services.retrieval"],
                env={**clean, **own, **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        client = Client(self.address, credentials=self.credentials)
        client.wait_until_ready(START_SECONDS)
        return client

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self._end(signal.SIGKILL)

    def wait(self) -> int:
        """Return the exit code of a process that ends by itself; negative for a signal."""
        assert self.process is not None
        return self.process.wait(STOP_SECONDS)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def live_service(home: Path, **environment: str) -> Iterator[LiveService]:
    """Yield a service that is not started yet; whatever runs at the end is killed."""
    service = LiveService(home, environment)
    try:
        yield service
    finally:
        if service.process is not None:
            service.kill()


def free_port() -> int:
    """Return a port of the loopback interface that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
