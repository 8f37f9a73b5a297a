"""Makes a cell's archive as `xmirad archive rebuild` does, in a process of its own."""

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.scale.cells import Cell, Places
from benchmarks.scale.mixture import load_mixture
from benchmarks.scale.population import Population
from xmirad.archive.edge import EdgeStore
from xmirad.archive.port import ArchiveBinding, StoredItem

CREATION = "c" * 32
BATCH = 64
"""As many as are written at a time when an archive is made."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time on the wall and on all processors together."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Built:
    """What making an archive took.

    Attributes:
        upsert: Seconds in the store for all items.
        index: Seconds for the graph or the codes, and for writing everything to disk.
        peak_bytes: Largest resident size of the process, files included.
        disk_bytes: What the archive takes on disk.
        log_bytes: What of that is the write-ahead log.
    """

    upsert: Seconds
    index: Seconds
    peak_bytes: int
    disk_bytes: int
    log_bytes: int


def binding_of(cell: Cell) -> ArchiveBinding:
    """Return what a cell's archive is bound to."""
    return ArchiveBinding("scale", CREATION, "scale", cell.embedding_size, "scale")


def build(cell: Cell, places: Places) -> Built:
    """Make the archive and close it."""
    population = Population(load_mixture(places.mixture), cell.embedding_size)
    store = EdgeStore(places.store(cell), index=cell.index)
    feed = _Feed(population, cell.items)
    archive = store.reset(binding_of(cell))
    if store.beside is not None:
        archive = store.beside.create_beside(binding_of(cell))
    for batch in feed.batches():
        archive.upsert(batch)
    archive.optimize()
    archive.flush()
    done = _now()
    if store.beside is not None:
        archive.close()
        store.beside.take_beside(binding_of(cell))
    store.close()
    files = [file for file in places.store(cell).rglob("*") if file.is_file()]
    return Built(
        upsert=feed.inside,
        index=_between(feed.ended, done),
        peak_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        disk_bytes=sum(512 * file.stat().st_blocks for file in files),
        log_bytes=sum(512 * file.stat().st_blocks for file in files if "wal" in file.parts),
    )


class _Feed:
    """Hands items over, and measures the time that the store takes between two batches."""

    def __init__(self, population: Population, items: int) -> None:
        self._population = population
        self._items = items
        self.inside = Seconds(0.0, 0.0)
        self.ended = _now()

    def batches(self) -> Iterator[list[StoredItem]]:
        for block in self._population.blocks(self._items):
            items = block.items()
            for first in range(0, len(items), BATCH):
                handed = _now()
                yield items[first : first + BATCH]
                spent = _between(handed, _now())
                self.inside = Seconds(self.inside.wall + spent.wall, self.inside.cpu + spent.cpu)
        self.ended = _now()


def _now() -> Seconds:
    return Seconds(time.perf_counter(), time.process_time())


def _between(first: Seconds, last: Seconds) -> Seconds:
    return Seconds(last.wall - first.wall, last.cpu - first.cpu)
