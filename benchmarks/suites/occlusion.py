"""How fast a cold map is filled, beside bare forwards and beside loops in eager torch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.densenet import densenet
from benchmarks.eager_loops import PUBLISHED, EagerLoops, Variant
from benchmarks.effort import Effort
from benchmarks.figures import Better, Figure, Target, at_least
from benchmarks.run import Run
from benchmarks.servant import Servant, servant
from benchmarks.stages import random_embedding
from benchmarks.workers import Workers, picture, workers_of
from benchmarks.xaitk_loop import XaitkLoop
from xmirad.models.artifact import ModelArtifact
from xmirad.saliency.lattice import WindowLattice
from xmirad.types import Float32Array

REPEATS = (3, 1)
SAMPLE = (250, 4)
"""Windows that a baseline is measured with; its cost does not depend on how many there are."""
BATCHES = (1, 2, 4, 8, 16, 32)
TRIED = (32, 2)
TOLERANCE = 0.02
OF_BARE, OVER_PUBLISHED, OVER_BEST, OVER_XAITK = 0.9, 3.5, 1.4, 1.0


@dataclass(frozen=True, slots=True)
class Loop:
    """What the product is compared with.

    Attributes:
        name: What it is.
        variant: How it runs.
        target: How many times faster the product must be.
        explain: Makes a map of the sample.
    """

    name: str
    variant: Variant
    target: Target
    explain: Callable[[], Effort]

    @property
    def how(self) -> str:
        """What it is and how it runs."""
        return f"{self.name}: {self.variant}"


def occlusion(run: Run) -> Iterator[Figure]:
    """Make a map with the run's model and, unless quick, with DenseNet-121."""
    yield from _of_model(run, run.artifact)
    if not run.quick:
        yield from _of_model(run, densenet(run))


def _of_model(run: Run, model: ModelArtifact) -> Iterator[Figure]:
    query = random_embedding(model.embedding_size, seed=0)
    image = picture(model, seed=90)
    with ExitStack() as stack:
        workers = stack.enter_context(workers_of(run, model, run.folder / "occlusion" / model.name))
        normalized = model.preprocessing.normalize(image)
        eager = stack.enter_context(servant(EagerLoops, model.path, normalized, query, run.cores))
        xaitk = stack.enter_context(servant(XaitkLoop, model.path, image, picture(model, seed=91), run.cores))
        count, windows = run.count(*SAMPLE), WindowLattice(size=len(image)).windows
        sample = range(0, windows, windows // count)[:count]
        _check_baseline(workers, eager, query, sample)
        nchw, channels_last = (_best(run, eager, channels_last=layout) for layout in (False, True))
        loops = [
            Loop(name, variant, target, partial(_eager, eager, variant, sample))
            for name, variant, target in (
                ("published loop", PUBLISHED, at_least(OVER_PUBLISHED)),
                ("best eager batch", nchw, at_least(OVER_BEST)),
                ("best eager batch, channels-last", channels_last, at_least(OVER_BEST)),
            )
        ]
        loops.append(Loop("xaitk-saliency", nchw, at_least(OVER_XAITK), partial(xaitk.ask, "explain", nchw, sample)))
        yield from _compared(run, model, workers, loops)


def _compared(run: Run, model: ModelArtifact, workers: Workers, loops: Sequence[Loop]) -> Iterator[Figure]:
    ours, bare, theirs = _measured(run, model, workers, loops)
    seconds, bare_seconds = (sum(effort.seconds for effort in efforts) for efforts in (ours, bare))
    yield Figure(
        name=f"{model.name}, windows per second, bare forwards",
        unit="1/s",
        values=tuple(effort.rate for effort in ours),
        baseline="bare forwards by the same workers",
        baseline_values=tuple(effort.rate for effort in bare),
        target=at_least(OF_BARE),
        note=f"{workers.windows} windows: map {seconds:.1f} s, bare {bare_seconds:.1f} s",
    )
    yield _cpu(f"{model.name}, CPU of a window, bare forwards", ours, bare, baseline="bare forwards")
    for loop in loops:
        yield Figure(
            name=f"{model.name}, windows per second, {loop.name}",
            unit="1/s",
            values=tuple(effort.rate for effort in ours),
            baseline=loop.how,
            baseline_values=tuple(effort.rate for effort in theirs[loop.name]),
            target=loop.target,
            note=f"a sample of {theirs[loop.name][0].windows} windows",
        )
        yield _cpu(f"{model.name}, CPU of a window, {loop.name}", ours, theirs[loop.name], baseline=loop.how)


def _cpu(name: str, ours: Sequence[Effort], theirs: Sequence[Effort], *, baseline: str) -> Figure:
    return Figure(
        name=name,
        unit="ms",
        values=tuple(effort.cpu_milliseconds for effort in ours),
        baseline=baseline,
        baseline_values=tuple(effort.cpu_milliseconds for effort in theirs),
        target=Target(Better.LOWER),
    )


def _measured(
    run: Run, model: ModelArtifact, workers: Workers, loops: Sequence[Loop]
) -> tuple[list[Effort], list[Effort], dict[str, list[Effort]]]:
    """Fill a whole map in parts, and after each part let all others do their work too."""
    repeats, chunks = run.count(*REPEATS), range(len(workers.entry.chunks))
    parts: list[Effort] = []
    bare: list[Effort] = []
    theirs: dict[str, list[Effort]] = {loop.name: [] for loop in loops}
    workers.store(0)
    workers.bare(len(workers.servants))
    for repeat in range(repeats):
        parts.append(workers.fill(0, chunks[repeat::repeats], workers=len(workers.servants)))
        bare.append(workers.bare(parts[-1].windows))
        for loop in loops:
            theirs[loop.name].append(loop.explain())
    scoring = workers.score(0, [random_embedding(model.embedding_size, seed=1)])
    return [part.plus_share(scoring) for part in parts], bare, theirs


def _best(run: Run, eager: Servant, *, channels_last: bool) -> Variant:
    """Return the variant with the fastest batch, each tried twice."""
    variants = [Variant(batch, channels_last) for batch in BATCHES]
    windows, rates = range(run.count(*TRIED)), dict.fromkeys(variants, 0.0)
    for _ in range(run.count(2, 1)):
        for variant in variants:
            rates[variant] = max(rates[variant], _eager(eager, variant, windows).rate)
    return max(variants, key=lambda variant: rates[variant])


def _eager(eager: Servant, variant: Variant, windows: Sequence[int]) -> Effort:
    effort: Effort = eager.ask("explain", variant, windows)[0]
    return effort


def _check_baseline(workers: Workers, eager: Servant, query: Float32Array, sample: Sequence[int]) -> None:
    """Refuse a baseline that computes something else."""
    some = sample[:: -(-len(sample) // BATCHES[-1])]
    ours = workers.servants[0].ask("increases", query, some)
    _, theirs = eager.ask("explain", Variant(BATCHES[-1]), some)
    if np.abs(ours - theirs).max() > TOLERANCE * np.abs(ours).max():
        raise RuntimeError("the baseline finds other increases of distance")
