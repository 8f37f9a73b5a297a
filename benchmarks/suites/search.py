"""What a search costs beside the work that it cannot do without."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from benchmarks.clock import milliseconds_each, percentile, seconds_of
from benchmarks.figures import Better, Figure, Target, at_least, at_most
from benchmarks.images import LARGE_PNG, SMALL_JPEG, ImageKind, Images
from benchmarks.load import CLIENTS, answers_to_clients
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, Service, filled, service
from benchmarks.stages import Stages
from xmirad.client.client import Client
from xmirad.client.search_types import SearchSource, StreamedSearch
from xmirad.types import EncodedImage

REPEATS = 4
ITEMS = (1_000, 50)
QUERIES = (100, 20)
REPLAYED = (320, 48)
OVER_STORE_MS = 2.0
OVER_STAGES = 1.15
OF_SEARCH = 0.8


def search(run: Run) -> Iterator[Figure]:
    """Search an archive of 1,000 items for its items and for images, one at a time and replayed."""
    items = run.count(*ITEMS)
    with (
        service(run, "search") as running,
        closing(Stages(run, run.folder / "searching", items=items)) as stages,
    ):
        names = filled(running, Images(SMALL_JPEG, seed=10, distinct=True), items)
        yield from _by_item(run, running, names)
        for kind in (SMALL_JPEG, LARGE_PNG):
            yield from _by_image(run, running, stages, kind)
        images = Images(SMALL_JPEG, seed=30, distinct=True).take(run.count(*REPLAYED))
        yield _replay(run, running, images, "by image", at_least(OF_SEARCH))
        picked = [names[number % len(names)] for number in range(len(images))]
        yield _replay(run, running, picked, "by item", Target(Better.HIGHER))


def _by_item(run: Run, running: Service, names: Sequence[str]) -> Iterator[Figure]:
    def over_store(name: str) -> float:
        answers = []
        whole = 1_000 * seconds_of(lambda: answers.append(running.client.search(ARCHIVE, name)))
        return whole - answers[0].timings.search_ms

    count = run.count(*QUERIES)
    for name in names[:count]:
        over_store(name)
    repeats = [[over_store(name) for name in names[:count]] for _ in range(run.count(REPEATS, 1))]
    allowed = f"{OVER_STORE_MS:g} ms, scaled"
    limits = (run.scaled(OVER_STORE_MS),)
    for percent, target in ((50, at_most(1)), (95, Target(Better.LOWER))):
        values = tuple(percentile(repeat, percent) for repeat in repeats)
        yield Figure(f"by item over the store's query, p{percent}", "ms", values, allowed, limits, target)


def _by_image(run: Run, running: Service, stages: Stages, kind: ImageKind) -> Iterator[Figure]:
    """Compare with the same parts, the model on all cores as in the service, and with the parts on one thread."""
    images = Images(kind, seed=20)
    searches: list[Callable[[EncodedImage], object]] = [
        lambda asked: running.client.search(ARCHIVE, asked),
        stages.search,
        stages.search_on_all_cores,
    ]
    _in_turn(searches, images.take(5))
    repeats = [_in_turn(searches, images.take(run.count(*QUERIES))) for _ in range(run.count(REPEATS, 1))]
    service_ms, one_thread_ms, all_cores_ms = zip(*repeats, strict=True)
    for how, stages_ms, target in (
        ("the model on all cores", all_cores_ms, at_most(OVER_STAGES)),
        ("one thread", one_thread_ms, Target(Better.LOWER)),
    ):
        yield Figure(
            name=f"by image, {kind}, p50, {how}",
            unit="ms",
            values=service_ms,
            baseline=f"decode, model and store query in one process, {how}",
            baseline_values=stages_ms,
            target=target,
        )


def _in_turn(searches: Sequence[Callable[[EncodedImage], object]], images: Sequence[EncodedImage]) -> list[float]:
    """Return each search's median in milliseconds; they take turns with every image."""
    milliseconds = [[milliseconds_each(search, [image])[0] for search in searches] for image in images]
    return [percentile(each, 50) for each in zip(*milliseconds, strict=True)]


def _replay(run: Run, running: Service, sources: Sequence[SearchSource], how: str, target: Target) -> Figure:
    def replay() -> None:
        searches = (StreamedSearch(str(number), source) for number, source in enumerate(sources))
        for outcome in running.client.stream_search(ARCHIVE, searches):
            if outcome.error is not None:
                raise outcome.error

    replay()
    streamed, single = [], []
    for _ in range(run.count(REPEATS, 1)):
        streamed.append(len(sources) / seconds_of(replay))
        single.append(answers_to_clients(running.address, _search, sources).rate)
    return Figure(
        name=f"replayed searches per second, {how}",
        unit="1/s",
        values=tuple(streamed),
        baseline=f"Search by {CLIENTS} clients",
        baseline_values=tuple(single),
        target=target,
    )


def _search(client: Client, source: SearchSource) -> None:
    client.search(ARCHIVE, source)
