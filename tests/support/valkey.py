"""A Valkey server for tests, which can be killed and started again on the same data."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xmirad.home import Home
from xmirad.queue.connection import Server, connect
from xmirad.queue.valkey import EmbeddedValkey

START_SECONDS = 10.0


class ValkeyServer:
    """The server that `xmirad up` would run for a home."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.home.prepare()
        self._valkey = EmbeddedValkey(self.home)
        self._command = self._valkey.prepare()
        self.socket = self._command[self._command.index("--unixsocket") + 1]
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._valkey.is_ready():
            assert time.monotonic() < deadline, "Valkey did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self._valkey.clean_up()
        if self._process is not None:
            self._process.wait(timeout=START_SECONDS)

    def connect(self) -> Server:
        return connect(self.url)


@contextmanager
def valkey_server(root: Path) -> Iterator[ValkeyServer]:
    """Yield a running server; it ends with the block."""
    server = ValkeyServer(root)
    try:
        server.start()
        yield server
    finally:
        server.close()
