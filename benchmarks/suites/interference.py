"""How much longer a reader waits while images are being stored."""

import time
from collections.abc import Iterator, Sequence

from benchmarks.clock import milliseconds_each, percentile
from benchmarks.figures import Better, Figure, Target, at_most
from benchmarks.images import LARGE_PNG, SMALL_JPEG, ImageKind, Images
from benchmarks.load import indexing_of
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, Service, filled, service
from xmirad.client.search_types import SearchSource

REPEATS = 3
ITEMS = (1_000, 50)
QUERIES = (100, 20)
PAUSE_SECONDS = 0.005
SLOWER = 1.5
P95 = 95


def interference(run: Run) -> Iterator[Figure]:
    """Search while another process fills another archive without a pause, and while nothing else happens, in turn."""
    with service(run, "interference") as running:
        names = filled(running, Images(SMALL_JPEG, seed=40, distinct=True), run.count(*ITEMS))
        for kind in (SMALL_JPEG, LARGE_PNG):
            yield from _while_indexing(run, running, names, kind)


def _while_indexing(run: Run, running: Service, names: Sequence[str], kind: ImageKind) -> Iterator[Figure]:
    sources: dict[str, Sequence[SearchSource]] = {
        "item": names[: run.count(*QUERIES)],
        "image": Images(SMALL_JPEG, seed=41, distinct=True).take(run.count(*QUERIES)),
    }
    idle: dict[str, list[list[float]]] = {how: [] for how in sources}
    busy: dict[str, list[list[float]]] = {how: [] for how in sources}
    for repeat in range(run.count(REPEATS, 1)):
        for how, asked in sources.items():
            idle[how].append(_waits(running, asked))
        with indexing_of(kind, running.address, seed=50 + repeat):
            for how, asked in sources.items():
                busy[how].append(_waits(running, asked))
    for how in sources:
        for percent, target in ((P95, at_most(SLOWER)), (50, Target(Better.LOWER))):
            yield Figure(
                name=f"search by {how}, {kind} indexed, p{percent}",
                unit="ms",
                values=tuple(percentile(waits, percent) for waits in busy[how]),
                baseline="nothing indexed",
                baseline_values=tuple(percentile(waits, percent) for waits in idle[how]),
                target=target,
            )


def _waits(running: Service, sources: Sequence[SearchSource]) -> list[float]:
    """Return how long each search takes, as one reader sees it who pauses a little in between."""
    waits = []
    for source in sources:
        waits += milliseconds_each(lambda asked: running.client.search(ARCHIVE, asked), [source])
        time.sleep(PAUSE_SECONDS)
    return waits
