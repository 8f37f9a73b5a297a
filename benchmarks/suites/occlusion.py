"""How fast a cold map is filled, beside bare forwards and beside what others have for it."""

from collections.abc import Iterator, Sequence

from benchmarks.densenet import densenet
from benchmarks.effort import Effort
from benchmarks.figures import Better, Figure, Target, at_least, at_most
from benchmarks.rivals import Rival, rivals_of
from benchmarks.run import Run
from benchmarks.stages import random_embedding
from benchmarks.workers import Workers, workers_of
from xmirad.models.artifact import ModelArtifact
from xmirad.saliency.lattice import WindowLattice

REPEATS = (3, 1)
OF_BARE = 0.9


def occlusion(run: Run) -> Iterator[Figure]:
    """Make a map with the run's model and, unless quick, with DenseNet-121."""
    yield from _of_model(run, run.artifact)
    if not run.quick:
        yield from _of_model(run, densenet(run))


def _of_model(run: Run, model: ModelArtifact) -> Iterator[Figure]:
    with (
        workers_of(run, model, run.folder / "occlusion" / model.name) as workers,
        rivals_of(run, model, workers) as rivals,
    ):
        ours, bare, theirs = _measured(run, model, workers, rivals)
        yield from _over_bare(run, model, workers, ours, bare)
        for rival in rivals:
            yield from _over_rival(model, workers, rival, ours, theirs[rival.name])


def _over_bare(
    run: Run, model: ModelArtifact, workers: Workers, ours: Sequence[Effort], bare: Sequence[Effort]
) -> Iterator[Figure]:
    seconds, bare_seconds = (sum(effort.seconds for effort in efforts) for efforts in (ours, bare))
    yield Figure(
        name=f"{model.name}, windows per second, bare forwards",
        unit="1/s",
        values=tuple(effort.rate for effort in ours),
        baseline=f"bare forwards by the same {run.cores} workers of one thread",
        baseline_values=tuple(effort.rate for effort in bare),
        target=at_least(OF_BARE),
        note=f"{workers.windows} windows: map {seconds:.1f} s, bare {bare_seconds:.1f} s",
    )
    yield _cpu(f"{model.name}, CPU of a window, bare forwards", ours, bare, baseline="bare forwards")


def _over_rival(
    model: ModelArtifact, workers: Workers, rival: Rival, ours: Sequence[Effort], theirs: Sequence[Effort]
) -> Iterator[Figure]:
    yield Figure(
        name=f"{model.name}, windows per second, {rival.name}",
        unit="1/s",
        values=tuple(effort.rate for effort in ours),
        baseline=rival.how,
        baseline_values=tuple(effort.rate for effort in theirs),
        target=rival.target,
        note=f"a sample of {theirs[0].windows} windows",
    )
    yield _cpu(f"{model.name}, CPU of a window, {rival.name}", ours, theirs, baseline=rival.how)
    if rival.windows is not None:
        windows = WindowLattice(size=workers.entry.lattice.size).windows
        yield Figure(
            name=f"{model.name}, a whole map, {rival.name}",
            unit="s",
            values=tuple(windows / effort.rate for effort in ours),
            baseline=rival.how,
            baseline_values=tuple(rival.windows / effort.rate for effort in theirs),
            target=at_most(1),
            note=f"{windows} windows, and {rival.windows}",
        )


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
    run: Run, model: ModelArtifact, workers: Workers, rivals: Sequence[Rival]
) -> tuple[list[Effort], list[Effort], dict[str, list[Effort]]]:
    """Fill a whole map in parts, and after each part let all others do their work too."""
    repeats, chunks = run.count(*REPEATS), range(len(workers.entry.chunks))
    parts: list[Effort] = []
    bare: list[Effort] = []
    theirs: dict[str, list[Effort]] = {rival.name: [] for rival in rivals}
    workers.store(0)
    workers.bare(len(workers.servants))
    for repeat in range(repeats):
        parts.append(workers.fill(0, chunks[repeat::repeats], workers=len(workers.servants)))
        bare.append(workers.bare(parts[-1].windows))
        for rival in rivals:
            theirs[rival.name].append(rival.explain())
    scoring = workers.score(0, [random_embedding(model.embedding_size, seed=1)])
    return [part.plus_share(scoring) for part in parts], bare, theirs
