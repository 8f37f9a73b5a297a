"""Whether the service's memory grows with the archive."""

import time
from collections.abc import Iterator

from benchmarks.clock import resident_bytes
from benchmarks.figures import Figure, at_most
from benchmarks.images import TINY_PNG, Images
from benchmarks.run import Run
from benchmarks.service import service

FEW = (1_000, 50)
MANY = (10_000, 150)
SETTLE_SECONDS = 2.0
ALLOWED_MEGABYTES = 50.0
MEGABYTE = 1e6


def memory(run: Run) -> Iterator[Figure]:
    """Store ten times as many images as there are and compare the service's memory without the store's files."""
    few, many = run.count(*FEW), run.count(*MANY)
    images = Images(TINY_PNG, seed=60)
    with service(run, "memory") as running:
        running.index(images.take(few))
        small = _resident_megabytes(running.pid)
        running.index(images.take(many - few))
        large = _resident_megabytes(running.pid)
    yield Figure(
        name=f"growth from {few} to {many} items",
        unit="MB",
        values=(large - small,),
        baseline=f"{ALLOWED_MEGABYTES:g} MB",
        baseline_values=(ALLOWED_MEGABYTES,),
        target=at_most(1),
        note=f"resident without files: {small:.0f} MB, then {large:.0f} MB",
    )


def _resident_megabytes(pid: int) -> float:
    time.sleep(SETTLE_SECONDS)
    return resident_bytes(pid) / MEGABYTE
