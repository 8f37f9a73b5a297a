"""What the product's occlusion is compared with at the same windows: loops in eager torch, captum, xaitk-saliency."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.captum_loop import CaptumLoop, windows_of_every
from benchmarks.eager_loops import PUBLISHED, EagerLoops, Variant
from benchmarks.effort import Effort
from benchmarks.figures import Target, at_least
from benchmarks.run import Run
from benchmarks.servant import Servant, servant
from benchmarks.stages import random_embedding
from benchmarks.workers import Workers, picture
from benchmarks.xaitk_loop import XaitkLoop, own_windows
from xmirad.models.artifact import ModelArtifact
from xmirad.saliency.lattice import STRIDE, WindowLattice
from xmirad.types import Float32Array

SAMPLE = (96, 4)
"""Windows that a rival is measured with; its cost does not depend on how many there are."""
PUBLISHED_SAMPLE = (PUBLISHED.batch, 4)
EVERY = 4
"""captum and `SBSMStack` choose their windows by a stride: every fourth window on both axes."""
BATCHES = (1, 4, 8, 16, 32)
TRIED = (32, 2)
CHECKED = 8
TOLERANCE = 0.02
OVER_PUBLISHED, OVER_BEST, OVER_LIBRARY = 3.5, 1.4, 1.0


@dataclass(frozen=True, slots=True)
class Rival:
    """What the product is compared with.

    Attributes:
        name: What it is.
        how: How it runs.
        target: How many times more windows the product must do in a second.
        explain: Makes a map of a sample of windows.
        windows: How many windows a whole map has by its own rules, or None where they are the product's.
    """

    name: str
    how: str
    target: Target
    explain: Callable[[], Effort]
    windows: int | None = None


@contextmanager
def rivals_of(run: Run, model: ModelArtifact, workers: Workers) -> Iterator[Sequence[Rival]]:
    """Yield all rivals, each library in a process of its own with one thread a core.

    captum and xaitk-saliency get the network in the form that is fastest in eager torch here. Those that tell what a
    window does to the distance fail if it is not what the product finds.
    """
    query, image, cores = random_embedding(model.embedding_size, seed=0), picture(model, seed=90), run.cores
    normalized = model.preprocessing.normalize(image)
    with ExitStack() as stack:
        eager = stack.enter_context(servant(EagerLoops, model.path, normalized, query, cores))
        captum = stack.enter_context(servant(CaptumLoop, model.path, normalized, query, cores))
        xaitk = stack.enter_context(servant(XaitkLoop, model.path, image, picture(model, seed=91), cores))
        oracle = _Oracle(workers, query)
        rates = _rates(run, eager)
        fastest = max(rates, key=rates.__getitem__)
        rivals = list(_loops(run, oracle, eager, rates))
        rivals.append(_captum(oracle, captum, fastest))
        rivals += _xaitk(run, xaitk, len(image), fastest)
        yield rivals


def _loops(run: Run, oracle: "_Oracle", eager: Servant, rates: Mapping[Variant, float]) -> Iterator[Rival]:
    nchw, channels_last = (
        max((variant for variant in rates if variant.channels_last is layout), key=rates.__getitem__)
        for layout in (False, True)
    )
    for name, variant, count, over in (
        ("published loop", PUBLISHED, run.count(*PUBLISHED_SAMPLE), OVER_PUBLISHED),
        ("best eager batch", nchw, run.count(*SAMPLE), OVER_BEST),
        ("best eager batch, channels-last", channels_last, run.count(*SAMPLE), OVER_BEST),
    ):
        windows = oracle.sample(count)
        yield Rival(name, str(variant), at_least(over), oracle.checked(eager, windows, variant, windows))


def _captum(oracle: "_Oracle", captum: Servant, variant: Variant) -> Rival:
    windows = windows_of_every(oracle.lattice, EVERY)
    explain = oracle.checked(captum, windows, variant, EVERY)
    return Rival("captum", f"`Occlusion`, {variant}", at_least(OVER_LIBRARY), explain)


def _xaitk(run: Run, xaitk: Servant, size: int, variant: Variant) -> Iterator[Rival]:
    sample, target = _sample(WindowLattice(size=size), run.count(*SAMPLE)), at_least(OVER_LIBRARY)
    yield Rival("xaitk-saliency", f"our windows, {variant}", target, partial(xaitk.ask, "explain", variant, sample))
    yield Rival(
        name="xaitk-saliency's `SBSMStack`",
        how=f"its own windows, {variant}",
        target=target,
        explain=partial(xaitk.ask, "explain_as_it_comes", variant, EVERY * STRIDE),
        windows=own_windows(size, STRIDE),
    )


class _Oracle:
    """Knows what the product finds, and fails a rival that finds something else."""

    def __init__(self, workers: Workers, query: Float32Array) -> None:
        self.lattice = WindowLattice(size=workers.entry.lattice.size)
        self._workers = workers
        self._query = query

    def sample(self, count: int) -> Sequence[int]:
        """Return so many windows of the usual lattice."""
        return _sample(self.lattice, count)

    def checked(self, rival: Servant, windows: Sequence[int], *arguments: object) -> Callable[[], Effort]:
        """Return a rival's `explain`, which compares some of its windows each time."""
        some = range(0, len(windows), -(-len(windows) // CHECKED))
        ours = self._workers.servants[0].ask("increases", self._query, [windows[number] for number in some])

        def explain() -> Effort:
            effort: Effort
            effort, theirs = rival.ask("explain", *arguments)
            if np.abs(theirs[some] - ours).max() > TOLERANCE * np.abs(ours).max():
                raise RuntimeError("the baseline finds other increases of distance")
            return effort

        return explain


def _sample(lattice: WindowLattice, count: int) -> Sequence[int]:
    return range(0, lattice.windows, lattice.windows // count)[:count]


def _rates(run: Run, eager: Servant) -> Mapping[Variant, float]:
    """Return windows per second by batch and layout, the better of two tries."""
    variants = [Variant(batch, channels_last) for batch in BATCHES for channels_last in (False, True)]
    windows, rates = range(run.count(*TRIED)), dict.fromkeys(variants, 0.0)
    for _ in range(run.count(2, 1)):
        for variant in variants:
            effort: Effort = eager.ask("explain", variant, windows)[0]
            rates[variant] = max(rates[variant], effort.rate)
    return rates
