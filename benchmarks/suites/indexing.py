"""How fast the service stores images, beside what the cores could do at best and beside a plain torch indexer."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from benchmarks.clock import cpu_seconds_of_processes, seconds_of
from benchmarks.effort import Effort
from benchmarks.figures import Better, Figure, Target, at_least
from benchmarks.images import LARGE_DICOM, LARGE_PNG, SMALL_JPEG, ImageKind, Images
from benchmarks.plain_indexer import PlainIndexer
from benchmarks.run import Run
from benchmarks.servant import Servant, servant
from benchmarks.service import Service, service
from benchmarks.stages import ImageCost, Stages
from xmirad.types import EncodedImage

TARGET = 0.85
REPEATS = 4
COUNTS = {SMALL_JPEG: (320, 32), LARGE_PNG: (160, 16), LARGE_DICOM: (32, 4)}
TRIED = (48, 4)
"""Images that each division of the cores is tried with, for the plain indexer."""
LIMITS = {SMALL_JPEG: at_least(TARGET), LARGE_PNG: at_least(TARGET), LARGE_DICOM: Target(Better.HIGHER)}


PLAIN_KINDS = (SMALL_JPEG, LARGE_PNG)
"""The plain indexer reads what Pillow reads."""
OVER_PLAIN = 1.0


def indexing(run: Run) -> Iterator[Figure]:
    """Upload images through the SDK, from this machine, and in between measure what that is compared with."""
    with (
        service(run, "indexing") as running,
        closing(Stages(run, run.folder / "stages")) as stages,
        servant(PlainIndexer, run.artifact.path, run.folder / "plain") as plain,
    ):
        for kind, (usual, quick) in COUNTS.items():
            yield from _indexing(run, running, stages, plain, kind, run.count(usual, quick))


def _indexing(
    run: Run, running: Service, stages: Stages, plain: Servant, kind: ImageKind, count: int
) -> Iterator[Figure]:
    images = Images(kind, seed=1)
    running.index(images.take(run.count(16, 2)))
    division = None
    if kind in PLAIN_KINDS:
        division = plain.ask("fastest", _files(images, run.count(*TRIED)), run.cores)
    costs: list[ImageCost] = []
    ours: list[Effort] = []
    theirs: list[Effort] = []
    for repeat in range(run.count(REPEATS, 1)):
        costs.append(stages.cost(kind, max(4, count // 4), seed=2 + repeat))
        ours.append(_served(running, images.take(count)))
        if division is not None:
            theirs.append(plain.ask("index", _files(images, count), division))
    yield from _over_bound(run, kind, ours, costs)
    if theirs:
        yield from _over_plain(kind, ours, theirs, how=str(division))


def _files(images: Images, count: int) -> Sequence[bytes]:
    return [image.data for image in images.take(count)]


def _served(running: Service, images: Sequence[EncodedImage]) -> Effort:
    before = cpu_seconds_of_processes(running.pid)
    seconds = seconds_of(running.index, images)
    return Effort(len(images), seconds, cpu_seconds_of_processes(running.pid) - before)


def _over_bound(run: Run, kind: ImageKind, ours: Sequence[Effort], costs: Sequence[ImageCost]) -> Iterator[Figure]:
    yield Figure(
        name=f"images per second, {kind}",
        unit="1/s",
        values=tuple(effort.rate for effort in ours),
        baseline=f"throughput bound of {run.cores} cores",
        baseline_values=tuple(cost.bound(run.cores) for cost in costs),
        target=LIMITS[kind],
        note=str(costs[-1]),
    )
    yield Figure(
        name=f"CPU of the service per image, {kind}",
        unit="ms",
        values=tuple(effort.cpu_milliseconds for effort in ours),
        baseline="CPU of the stages alone",
        baseline_values=tuple(1_000 * run.cores / cost.bound(run.cores) for cost in costs),
        target=Target(Better.LOWER),
        note="sandbox, gRPC and bookkeeping are the difference",
    )


def _over_plain(kind: ImageKind, ours: Sequence[Effort], theirs: Sequence[Effort], *, how: str) -> Iterator[Figure]:
    baseline = f"DataLoader and eager forward, as clip-retrieval does it: {how}"
    yield Figure(
        name=f"images per second, {kind}, plain torch",
        unit="1/s",
        values=tuple(effort.rate for effort in ours),
        baseline=baseline,
        baseline_values=tuple(effort.rate for effort in theirs),
        target=at_least(OVER_PLAIN),
        note="the plain indexer keeps embeddings only: no blobs, no records, no vector store",
    )
    yield Figure(
        name=f"CPU of the service per image, {kind}, plain torch",
        unit="ms",
        values=tuple(effort.cpu_milliseconds for effort in ours),
        baseline=baseline,
        baseline_values=tuple(effort.cpu_milliseconds for effort in theirs),
        target=Target(Better.LOWER),
    )
