"""How long programs take to start, and what waiting processes hold in memory."""

import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.clock import resident_bytes
from xmirad.models.artifact import read_artifact
from xmirad.models.embedder import Embedder, load_embedder

KINDS = {
    "xmirad_explainer": "explainer",
    "xmirad_services": "retrieval",
    "valkey": "Valkey",
    "multiprocessing": "decoder and other children",
}
"""Part of a command line, and what the process is called in figures."""


@dataclass(frozen=True, slots=True)
class Start:
    """What it cost to start a program and to end it.

    Attributes:
        milliseconds: On the wall.
        cpu_milliseconds: On the processor.
    """

    milliseconds: float
    cpu_milliseconds: float


def start_of(*arguments: str) -> Start:
    """Run this interpreter with some arguments until it ends."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Start(1_000 * wall, 1_000 * used)


def bytes_at_rest(pid: int) -> Mapping[str, int]:
    """Return the memory without files of a process and of those below it, by kind; the largest of each."""
    found: dict[str, int] = {}
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        words = " ".join(process.cmdline())
        kind = next((name for part, name in KINDS.items() if part in words), "supervisor")
        found[kind] = max(found.get(kind, 0), resident_bytes(process.pid))
    return found


class ModelAlone:
    """A process that holds a model and does nothing; made to live in one of its own."""

    def __init__(self, model: Path) -> None:
        """Load the model on one thread."""
        self._embedder: Embedder = load_embedder(read_artifact(model), threads=1)
