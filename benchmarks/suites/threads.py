"""The facts behind the decision on threads and processes (docs/decisions/0001-threads-and-processes.md)."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from benchmarks.clock import milliseconds_each, percentile, seconds_of
from benchmarks.echo_servers import Ask, caller, echo_server, serve_on_loop, serve_on_threads
from benchmarks.event_loop import delays_ms, repeating
from benchmarks.figures import Better, Figure, Target
from benchmarks.images import LARGE_PNG, SMALL_JPEG, ImageKind, Images
from benchmarks.micro_batches import BatchedGraph
from benchmarks.run import Run, random_pixels
from benchmarks.stages import LIMITS, random_archive, random_embedding
from xmirad.archive.edge import EdgeStore
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.sandbox import DecoderPool
from xmirad.models.embedder import load_embedder
from xmirad.types import EncodedImage

REPEATS = 3
IMAGES = (128, 16)
MICRO_BATCHES = (4, 8)
ITEMS = (10_000, 500)
LISTEN_SECONDS = 2.0
CALLERS = 16
CALLS = (2_000, 200)
HIGHER, LOWER = Target(Better.HIGHER), Target(Better.LOWER)


def threads(run: Run) -> Iterator[Figure]:
    """Measure what each way of sharing the cores costs or gains."""
    yield _model_threads(run)
    yield from _micro_batches(run)
    yield from _interpreter_lock(run)
    for kind in (SMALL_JPEG, LARGE_PNG):
        yield _sandbox(run, kind)
    yield _servers(run)


def _model_threads(run: Run) -> Figure:
    count = run.count(*IMAGES)
    pixels = random_pixels(run.artifact, count)
    one, two = (load_embedder(run.artifact, threads=number) for number in (1, 2))
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(run.count(REPEATS, 1)):
        for embedder, found in zip((one, two), rates, strict=True):
            found.append(count / seconds_of(embedder.embed, pixels))
    return Figure(
        name="embeddings per second, 2 model threads",
        unit="1/s",
        values=tuple(rates[1]),
        baseline="1 model thread",
        baseline_values=tuple(rates[0]),
        target=HIGHER,
    )


def _micro_batches(run: Run) -> Iterator[Figure]:
    count = run.count(*IMAGES)
    graphs = {batch: BatchedGraph(run.artifact, batch=batch, threads=run.cores) for batch in (1, *MICRO_BATCHES)}
    rates: dict[int, list[float]] = {batch: [] for batch in graphs}
    for graph in graphs.values():
        graph.forward(count)
    for _ in range(run.count(REPEATS, 1)):
        for batch, graph in graphs.items():
            rates[batch].append(count / seconds_of(graph.forward, count))
    for batch in MICRO_BATCHES:
        yield Figure(
            name=f"forwards per second, batches of {batch}",
            unit="1/s",
            values=tuple(rates[batch]),
            baseline=f"single images, {run.cores} at a time",
            baseline_values=tuple(rates[1]),
            target=HIGHER,
            note="batches would pay above 1.1",
        )


def _interpreter_lock(run: Run) -> Iterator[Figure]:
    items, size = run.count(*ITEMS), run.artifact.embedding_size
    seconds = LISTEN_SECONDS if not run.quick else LISTEN_SECONDS / 10
    embedding = random_embedding(size, seed=0)
    quiet, busy, queries = [], [], []
    with closing(EdgeStore(run.folder / "lock")) as store:
        archive = random_archive(store, run.artifact.digest, size, items)

        def ask(_number: int = 0) -> None:
            archive.query(embedding, top_k=10)

        for _ in range(run.count(REPEATS, 1)):
            queries.append(percentile(milliseconds_each(ask, range(20)), 50))
            quiet.append(percentile(delays_ms(seconds), 99))
            with repeating(ask):
                busy.append(percentile(delays_ms(seconds), 99))
    name = f"event loop's delay p99, Edge queries of {items} x {size} in a thread"
    yield Figure(name, "ms", tuple(busy), "no queries", tuple(quiet), LOWER)
    yield Figure(
        name.replace("delay p99", "delay p99 beside a query"), "ms", tuple(busy), "one query", tuple(queries), LOWER
    )


def _sandbox(run: Run, kind: ImageKind) -> Figure:
    images = Images(kind, seed=80)
    recipe = run.artifact.preprocessing
    in_child, in_process = [], []

    def here(image: EncodedImage) -> None:
        decode_image(image, recipe, LIMITS)

    pool = DecoderPool(LIMITS, children=1)
    pool.start()
    with closing(pool):
        for _ in range(run.count(REPEATS, 1)):
            some = images.take(run.count(40, 5))
            in_child.append(percentile(milliseconds_each(lambda image: pool.decode(image, recipe), some), 50))
            in_process.append(percentile(milliseconds_each(here, some), 50))
    name = f"decoding {kind} in a sandboxed child, p50"
    return Figure(name, "ms", tuple(in_child), "decoding in the process", tuple(in_process), LOWER)


def _servers(run: Run) -> Figure:
    on_loop, on_threads = [], []
    with (
        echo_server(serve_on_loop) as loop_address,
        echo_server(serve_on_threads) as thread_address,
        caller(loop_address) as ask_loop,
        caller(thread_address) as ask_threads,
    ):
        for _ in range(run.count(REPEATS, 1)):
            on_loop.append(_calls_per_second(ask_loop, run.count(*CALLS)))
            on_threads.append(_calls_per_second(ask_threads, run.count(*CALLS)))
    return Figure(
        name=f"small calls per second of {CALLERS} callers, grpc.aio server",
        unit="1/s",
        values=tuple(on_loop),
        baseline="server of threads",
        baseline_values=tuple(on_threads),
        target=HIGHER,
    )


def _calls_per_second(ask: Ask, count: int) -> float:
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(ask, [b"warm up"] * CALLERS))
        requests: Sequence[bytes] = [bytes(100)] * count
        return count / seconds_of(lambda: list(callers.map(ask, requests)))
