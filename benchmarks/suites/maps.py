"""What maps cost: by one worker and by all, for one result and for ten, cold and warm."""

from collections.abc import Iterator, Sequence

from benchmarks.clock import percentile
from benchmarks.effort import Effort
from benchmarks.figures import Better, Figure, Target, at_least, at_most
from benchmarks.run import Run
from benchmarks.stages import random_embedding
from benchmarks.workers import Workers, workers_of
from xmirad.types import Float32Array

REPEATS = (3, 1)
RESULTS = 10
WARM_MAPS = (30, 3)
WARM_MS = 20.0
OF_ONE_WORKER = 1.6
OF_ONE_MAP = 1.1


def maps(run: Run) -> Iterator[Figure]:
    """Make maps of one image by workers that nobody talks to."""
    queries = [random_embedding(run.artifact.embedding_size, seed=number) for number in range(RESULTS)]
    with workers_of(run, run.artifact, run.folder / "maps") as workers:
        yield from _cold_maps(run, workers, queries)
        yield from _warm_maps(run, workers, queries[0])


def _cold_maps(run: Run, workers: Workers, queries: Sequence[Float32Array]) -> Iterator[Figure]:
    alone: list[Effort] = []
    together, of_ten = [], []
    for repeat in range(run.count(*REPEATS)):
        number = 3 * repeat
        if run.cores > 1:
            alone.append(workers.map(number, queries[:1], workers=1))
        together.append(workers.map(number + 1, queries[:1], workers=run.cores))
        of_ten.append(workers.map(number + 2, queries, workers=run.cores))
    if alone:
        yield Figure(
            name="cold map, a worker of one thread on each core",
            unit="1/s",
            values=_rates(together),
            baseline="one of them",
            baseline_values=_rates(alone),
            target=at_least(OF_ONE_WORKER),
            note=f"windows per second, {workers.windows} windows, {run.cores} workers",
        )
    yield Figure(
        name=f"{RESULTS} results explained on the query",
        unit="s",
        values=_seconds(of_ten),
        baseline="one cold map",
        baseline_values=_seconds(together),
        target=at_most(OF_ONE_MAP),
    )


def _warm_maps(run: Run, workers: Workers, query: Float32Array) -> Iterator[Figure]:
    repeats = [[workers.score(0, [query]) for _ in range(run.count(*WARM_MAPS))] for _ in range(run.count(*REPEATS))]
    baseline, limits = f"{WARM_MS:g} ms, scaled", (run.scaled(WARM_MS),)
    name = f"warm map of {run.artifact.embedding_size} components, p50"
    on_wall = tuple(1_000 * percentile((one.seconds for one in some), 50) for some in repeats)
    yield Figure(name, "ms", on_wall, baseline, limits, at_most(1), note="load, score, aggregate")
    on_processor = tuple(1_000 * percentile((one.cpu_seconds for one in some), 50) for some in repeats)
    yield Figure(f"{name}, CPU", "ms", on_processor, baseline, limits, Target(Better.LOWER))


def _rates(efforts: Sequence[Effort]) -> tuple[float, ...]:
    return tuple(effort.rate for effort in efforts)


def _seconds(efforts: Sequence[Effort]) -> tuple[float, ...]:
    return tuple(effort.seconds for effort in efforts)
