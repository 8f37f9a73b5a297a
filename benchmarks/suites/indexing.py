"""How fast the service stores images, beside what the cores could do at best."""

from collections.abc import Iterator
from contextlib import closing

from benchmarks.clock import cpu_seconds_of_processes, seconds_of
from benchmarks.figures import Better, Figure, Target, at_least
from benchmarks.images import LARGE_DICOM, LARGE_PNG, SMALL_JPEG, ImageKind, Images
from benchmarks.run import Run
from benchmarks.service import Service, service
from benchmarks.stages import ImageCost, Stages

TARGET = 0.85
REPEATS = 5
COUNTS = {SMALL_JPEG: (320, 32), LARGE_PNG: (160, 16), LARGE_DICOM: (32, 4)}
LIMITS = {SMALL_JPEG: at_least(TARGET), LARGE_PNG: at_least(TARGET), LARGE_DICOM: Target(Better.HIGHER)}


def indexing(run: Run) -> Iterator[Figure]:
    """Upload images through the SDK, from this machine, and compare with the throughput bound measured in between."""
    with service(run, "indexing") as running, closing(Stages(run, run.folder / "stages")) as stages:
        for kind, (usual, quick) in COUNTS.items():
            yield from _indexing(run, running, stages, kind, run.count(usual, quick))


def _indexing(run: Run, running: Service, stages: Stages, kind: ImageKind, count: int) -> Iterator[Figure]:
    images = Images(kind, seed=1)
    running.index(images.take(run.count(16, 2)))
    costs: list[ImageCost] = []
    rates, spent = [], []
    for repeat in range(run.count(REPEATS, 1)):
        costs.append(stages.cost(kind, max(4, count // 4), seed=2 + repeat))
        batch = images.take(count)
        before = cpu_seconds_of_processes(running.pid)
        rates.append(count / seconds_of(running.index, batch))
        spent.append(1_000 * (cpu_seconds_of_processes(running.pid) - before) / count)
    yield Figure(
        name=f"images per second, {kind}",
        unit="1/s",
        values=tuple(rates),
        baseline=f"throughput bound of {run.cores} cores",
        baseline_values=tuple(cost.bound(run.cores) for cost in costs),
        target=LIMITS[kind],
        note=str(costs[-1]),
    )
    yield Figure(
        name=f"CPU of the service per image, {kind}",
        unit="ms",
        values=tuple(spent),
        baseline="CPU of the stages alone",
        baseline_values=tuple(1_000 * run.cores / cost.bound(run.cores) for cost in costs),
        target=Target(Better.LOWER),
        note="sandbox, gRPC and bookkeeping are the difference",
    )
