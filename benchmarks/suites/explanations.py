"""What a reader waits for who explains through a running system, and what a reader who only searches feels of it."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from unittest.mock import patch

from benchmarks.clock import milliseconds_each, percentile
from benchmarks.densenet import densenet
from benchmarks.explaining import explain, explain_on_query, explanations_under_way, settle, worker_bytes
from benchmarks.figures import Better, Figure, Target, at_least, at_most
from benchmarks.images import SMALL_JPEG, Images
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, Service, filled, service
from benchmarks.workers import QUICK_STRIDE
from xmirad.client.explanation_types import Explanation, OcclusionMethod
from xmirad.client.search_types import SearchSource
from xmirad.saliency.lattice import STRIDE, WindowLattice

REPEATS = (3, 1)
ITEMS = (200, 24)
RESULTS = 10
QUERIES = (100, 20)
WARM_MAPS = (8, 3)
PAUSE_SECONDS = 0.005
PREVIEW_SECONDS, EXACT_SECONDS, OF_ONE_MAP = 3.0, 25.0, 1.1
SLOWER = 1.5
OF_ONE_PROCESS = 1.6
WORKER_GIGABYTES = 1.5
GIGABYTE = 1e9
LOWER = Target(Better.LOWER)


def explanations(run: Run) -> Iterator[Figure]:
    """Explain results by occlusion, cold and warm, one and many, and search meanwhile."""
    with service(run, "explanations", explains=True) as running:
        images = Images(SMALL_JPEG, seed=110, distinct=True)
        names = filled(running, images, run.count(*ITEMS))
        method = OcclusionMethod(stride=run.count(STRIDE, QUICK_STRIDE))
        explain(running, names[-1], names[-2], OcclusionMethod(stride=QUICK_STRIDE))  # workers load their model
        yield from _cold(run, running, images, names, method)
        yield from _warm(run, running, images, names[0], method)
        yield from _while_explaining(run, running, images, names)
    if run.cores > 1:
        yield _processes(run)
    yield _memory(run if run.quick else replace(run, artifact=densenet(run)))


def _cold(
    run: Run, running: Service, images: Images, names: Sequence[str], method: OcclusionMethod
) -> Iterator[Figure]:
    waits, of_ten = [], []
    for repeat in range(run.count(*REPEATS)):
        first, second = images.take(2)
        waits.append(explain(running, first, names[repeat], method))
        of_ten.append(explain_on_query(running, second, names[:RESULTS], method))
    exact = tuple(one.exact for one in waits)
    for name, values, allowed in (
        ("first map", tuple(one.preview for one in waits), PREVIEW_SECONDS),
        ("exact map", exact, EXACT_SECONDS),
    ):
        yield Figure(name, "s", values, f"{allowed:g} s, scaled", (run.scaled(allowed),), at_most(1))
    windows = WindowLattice(size=run.artifact.preprocessing.crop_size, stride=method.stride).windows
    bare = (windows * run.forward_ms / 1_000,)
    yield Figure("exact map over bare forwards", "s", exact, f"{windows} bare forwards", bare, LOWER)
    yield Figure(
        name=f"{RESULTS} exact maps on the query",
        unit="s",
        values=tuple(of_ten),
        baseline="one exact map on a result",
        baseline_values=exact,
        target=at_most(OF_ONE_MAP),
    )


def _warm(run: Run, running: Service, images: Images, item: str, method: OcclusionMethod) -> Iterator[Figure]:
    def search(query: SearchSource) -> None:
        running.client.search(ARCHIVE, query)

    maps, searches = [], []
    for _ in range(run.count(*REPEATS)):
        asked = images.take(run.count(*WARM_MAPS))
        made: list[Explanation] = []

        def ask(query: SearchSource, made: list[Explanation] = made) -> None:
            made.append(running.client.create_explanation(query, item, method=method))

        searches.append(percentile(milliseconds_each(search, asked), 50))
        maps.append(percentile(milliseconds_each(ask, asked), 50))
        if not all(one.maps for one in made):
            raise RuntimeError("the map of a cached item was not there at once")
        settle(running, made)
    yield Figure("exact map of a cached item, p50", "ms", tuple(maps), "Search by image", tuple(searches), LOWER)


def _while_explaining(run: Run, running: Service, images: Images, names: Sequence[str]) -> Iterator[Figure]:
    count = run.count(*QUERIES)
    asked: Mapping[str, Sequence[SearchSource]] = {"item": names[:count], "image": images.take(count)}
    idle: dict[str, list[list[float]]] = {how: [] for how in asked}
    busy: dict[str, list[list[float]]] = {how: [] for how in asked}
    for repeat in range(run.count(*REPEATS)):
        for how, sources in asked.items():
            idle[how].append(_waits(running, sources))
        some = names[-RESULTS * (repeat + 1) :][:RESULTS]
        with explanations_under_way(running, images.take(1)[0], some):
            for how, sources in asked.items():
                busy[how].append(_waits(running, sources))
    for how in asked:
        for percent, target in ((95, at_most(SLOWER)), (50, LOWER)):
            values, limits = (tuple(percentile(waits, percent) for waits in found[how]) for found in (busy, idle))
            yield Figure(
                f"search by {how} while maps are made, p{percent}", "ms", values, "nothing explained", limits, target
            )


def _waits(running: Service, sources: Sequence[SearchSource]) -> list[float]:
    waits = []
    for source in sources:
        waits += milliseconds_each(lambda asked: running.client.search(ARCHIVE, asked), [source])
        time.sleep(PAUSE_SECONDS)
    return waits


def _processes(run: Run) -> Figure:
    """Compare explainers of one process each and of one process a core, started in turn."""
    images, method = (
        Images(SMALL_JPEG, seed=130, distinct=True),
        OcclusionMethod(stride=run.count(STRIDE, QUICK_STRIDE)),
    )
    rates: dict[int, list[float]] = {1: [], run.cores: []}
    for repeat in range(run.count(*REPEATS)):
        for processes, found in rates.items():
            with (
                patch.dict(os.environ, {"XMIRAD_EXPLANATIONS__PROCESSES": str(processes)}),
                service(run, f"processes-{processes}-{repeat}", explains=True) as running,
            ):
                names = filled(running, images, 3)
                explain(running, names[0], names[1], OcclusionMethod(stride=QUICK_STRIDE))
                found.append(1 / explain(running, images.take(1)[0], names[2], method).exact)
    return Figure(
        name="exact maps per second, explainer of a process a core",
        unit="1/s",
        values=tuple(rates[run.cores]),
        baseline="explainer of one process",
        baseline_values=tuple(rates[1]),
        target=at_least(OF_ONE_PROCESS),
        note=f"{run.cores} processes",
    )


def _memory(run: Run) -> Figure:
    settings = run.settings.model_copy(
        update={"models_dir": run.artifact.path.parent, "default_model": run.artifact.name}
    )
    with service(replace(run, settings=settings), "memory-of-workers", explains=True) as running:
        first, second = filled(running, Images(SMALL_JPEG, seed=120, distinct=True), 2)
        explain(running, first, second, OcclusionMethod(stride=QUICK_STRIDE))
        used = worker_bytes() / GIGABYTE
    return Figure(
        name=f"largest worker, {run.artifact.name}",
        unit="GB",
        values=(used,),
        baseline=f"{WORKER_GIGABYTES:g} GB",
        baseline_values=(WORKER_GIGABYTES,),
        target=at_most(1),
        note="resident without files, after a map and its fidelity",
    )
