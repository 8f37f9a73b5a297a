"""Workers of one thread each, as `xmirad up` has them, on one cache, without a queue between them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from benchmarks.cold_map import ColdMap, entry_of
from benchmarks.effort import Effort
from benchmarks.images import radiograph
from benchmarks.run import Run
from benchmarks.servant import Servant, servant
from xmirad.explanations.entries import OcclusionEntry
from xmirad.models.artifact import ModelArtifact
from xmirad.saliency.lattice import STRIDE
from xmirad.types import Float32Array, UInt8Array

QUICK_STRIDE = 18
"""Gives 169 windows and all levels."""


class Workers:
    """One process a core."""

    def __init__(self, servants: Sequence[Servant], entry: OcclusionEntry) -> None:
        """Keep the processes, each with a `ColdMap`; `entry` is any of theirs."""
        self.servants = servants
        self.entry = entry

    @property
    def windows(self) -> int:
        """Number of windows of a map."""
        return self.entry.lattice.windows

    def store(self, number: int) -> None:
        """Store the image of an entry."""
        self.servants[0].ask("store", number)

    def fill(self, number: int, chunks: Sequence[int], *, workers: int) -> Effort:
        """Compute some chunks of an entry, dealt out to so many workers."""
        return self._together("fill", [(number, chunks[first::workers]) for first in range(workers)])

    def bare(self, windows: int) -> Effort:
        """Run the network in all workers as often as for so many windows."""
        count = len(self.servants)
        return self._together("bare", [(windows // count + (first < windows % count),) for first in range(count)])

    def score(self, number: int, queries: Sequence[Float32Array]) -> Effort:
        """Make the maps of an entry in one worker."""
        return self._together("score", [(number, queries)])

    def map(self, number: int, queries: Sequence[Float32Array], *, workers: int) -> Effort:
        """Make the maps of an image that nothing is known of."""
        self.store(number)
        filling = self.fill(number, range(len(self.entry.chunks)), workers=workers)
        return filling.plus_share(self.score(number, queries))

    def _together(self, method: str, arguments: Sequence[tuple[object, ...]]) -> Effort:
        began = time.perf_counter()
        busy = self.servants[: len(arguments)]
        for one, given in zip(busy, arguments, strict=True):
            one.begin(method, *given)
        efforts: list[Effort] = [one.end() for one in busy]
        seconds = time.perf_counter() - began
        windows, cpu_seconds = sum(one.windows for one in efforts), sum(one.cpu_seconds for one in efforts)
        return Effort(windows, seconds, cpu_seconds)


@contextmanager
def workers_of(run: Run, model: ModelArtifact, folder: Path) -> Iterator[Workers]:
    """Yield workers with a model; quick runs have fewer windows."""
    stride = run.count(STRIDE, QUICK_STRIDE)
    with ExitStack() as stack:
        given = (model.path, picture(model, seed=90), folder, stride, run.slowed_seconds)
        servants = [stack.enter_context(servant(ColdMap, *given)) for _ in range(run.cores)]
        yield Workers(servants, entry_of(model, 0, stride=stride))


def picture(model: ModelArtifact, *, seed: int) -> UInt8Array:
    """Return a generated image as a model's input, `[S, S, 3]`."""
    gray = radiograph(model.preprocessing.crop_size, seed=(seed,))
    return np.repeat(gray[..., None], 3, axis=2)
