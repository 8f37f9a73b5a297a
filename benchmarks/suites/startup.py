"""How soon programs start and `xmirad up` answers, and what its processes hold while they wait."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.clock import resident_bytes
from benchmarks.figures import Better, Figure, Target, at_most
from benchmarks.images import SMALL_JPEG, Images
from benchmarks.processes import ModelAlone, bytes_at_rest, start_of
from benchmarks.run import Run
from benchmarks.servant import servant
from benchmarks.service import ARCHIVE, service
from xmirad.client.client import Client
from xmirad.types import EncodedImage

NAME = "startup"
REPEATS = (3, 1)
STARTS = (7, 1)
ITEMS = 8
ALLOWED_SECONDS = 5.0
LONGEST_SECONDS = 60.0
POLL_SECONDS = 0.01
SETTLE_SECONDS = 2.0
MEGABYTE = 1e6
LOWER = Target(Better.LOWER)
IMPORTS = {
    "import xmirad.client": (("-c", "import xmirad.client"), "grpc, numpy, google.protobuf"),
    "xmirad --help": (("-c", "from xmirad.cli.main import app; app(['--help'])"), "typer"),
    "import the retrieval service": (
        ("-c", "import xmirad_services.retrieval.app"),
        "grpc, numpy, PIL, celery, redis, pydantic_settings, opentelemetry.sdk.trace, fsspec, cryptography",
    ),
    "import the explainer": (
        ("-c", "import xmirad_explainer.worker"),
        "numpy, PIL, celery, redis, pydantic_settings, opentelemetry.sdk.trace, fsspec",
    ),
    "import the indexer": (
        ("-c", "import xmirad_indexer.worker"),
        "numpy, PIL, celery, redis, pydantic_settings, opentelemetry.sdk.trace, fsspec",
    ),
}
"""What starts, how, and the packages that it stands on, whose import alone is the baseline."""


def startup(run: Run) -> Iterator[Figure]:
    """Start every program, then the system on a home with a small archive, and ask it."""
    for name, (command, packages) in IMPORTS.items():
        yield from _imports(run, name, command, packages)
    images = Images(SMALL_JPEG, seed=70, distinct=True)
    with service(run, NAME) as running:
        running.index(images.take(ITEMS))
    answers: list[float] = []
    searches: list[float] = []
    at_rest: list[Mapping[str, int]] = []
    for query in images.take(run.count(*REPEATS)):
        _first_answers(run, query, answers, searches, at_rest)
    limits = (run.scaled(ALLOWED_SECONDS),)
    for name, values in (("GetServerInfo", answers), ("Search by image", searches)):
        baseline = f"{ALLOWED_SECONDS:g} s, scaled"
        yield Figure(f"`xmirad up` to the first {name}", "s", tuple(values), baseline, limits, at_most(1))
    yield from _memory(run, at_rest)


def _imports(run: Run, name: str, command: Sequence[str], packages: str) -> Iterator[Figure]:
    bare = ("-c", f"import {packages}")
    for one in (command, bare):  # bytecode is written
        start_of(*one)
    ours, theirs = zip(*[(start_of(*command), start_of(*bare)) for _ in range(run.count(*STARTS))], strict=True)
    baseline = f"import {packages}"
    wall, bare_wall = (tuple(one.milliseconds for one in starts) for starts in (ours, theirs))
    cpu, bare_cpu = (tuple(one.cpu_milliseconds for one in starts) for starts in (ours, theirs))
    yield Figure(name, "ms", wall, baseline, bare_wall, LOWER)
    yield Figure(f"{name}, CPU", "ms", cpu, baseline, bare_cpu, LOWER)


def _first_answers(
    run: Run, query: EncodedImage, answers: list[float], searches: list[float], at_rest: list[Mapping[str, int]]
) -> None:
    address = _free_address()
    began = time.monotonic()
    with _up(run, address) as process, Client(address) as client:
        _wait_for_listener(address, process)
        client.server_info()
        answers.append(time.monotonic() - began)
        client.search(ARCHIVE, query)
        searches.append(time.monotonic() - began)
        time.sleep(SETTLE_SECONDS)
        at_rest.append(bytes_at_rest(process.pid))


def _memory(run: Run, at_rest: Sequence[Mapping[str, int]]) -> Iterator[Figure]:
    with servant(ModelAlone, run.artifact.path) as alone:
        bare = (resident_bytes(alone.pid) / MEGABYTE,)
    for kind in sorted({kind for found in at_rest for kind in found}):
        values = tuple(found[kind] / MEGABYTE for found in at_rest if kind in found)
        baseline = f"a process with {run.artifact.name} alone"
        yield Figure(f"memory of a waiting process, {kind}", "MB", values, baseline, bare, LOWER)


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
