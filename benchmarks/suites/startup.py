"""How soon `xmirad up` answers."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.images import SMALL_JPEG, Images
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, service
from xmirad.client.client import Client

NAME = "startup"
REPEATS = (3, 1)
ITEMS = 8
ALLOWED_SECONDS = 5.0
LONGEST_SECONDS = 60.0
POLL_SECONDS = 0.01


def startup(run: Run) -> Iterator[Figure]:
    """Start the system on a home with a small archive, and ask it."""
    images = Images(SMALL_JPEG, seed=70, distinct=True)
    with service(run, NAME) as running:
        running.index(images.take(ITEMS))
    answers, searches = [], []
    for query in images.take(run.count(*REPEATS)):
        address = _free_address()
        began = time.monotonic()
        with _up(run, address) as process, Client(address) as client:
            _wait_for_listener(address, process)
            client.server_info()
            answers.append(time.monotonic() - began)
            client.search(ARCHIVE, query)
            searches.append(time.monotonic() - began)
    limits = (run.scaled(ALLOWED_SECONDS),)
    for name, values in (("GetServerInfo", answers), ("Search by image", searches)):
        baseline = f"{ALLOWED_SECONDS:g} s, scaled"
        yield Figure(f"`xmirad up` to the first {name}", "s", tuple(values), baseline, limits, at_most(1))


@contextmanager
def _up(run: Run, address: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(Path(sys.executable).with_name("xmirad")), "up"]
    environment = {
        **os.environ,
        "XMIRAD_HOME": str(run.folder / NAME),
        "XMIRAD_MODELS_DIR": str(run.settings.models_dir),
        "XMIRAD_SERVER__ADDRESS": address,
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LONGEST_SECONDS)


def _wait_for_listener(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait without gRPC, whose pauses between attempts would be counted too."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(POLL_SECONDS)
    raise RuntimeError("`xmirad up` does not answer")


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
