"""What 1 to 64 clients at the same time get from a locked service, on the loopback.

Quotas are those of a caller, so the clients share several tokens and stay below the default of calls at a time that
each may have. The limit of the whole service is set beyond their number: what is measured is waiting, not refusing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from benchmarks.clock import MILLISECONDS, cpu_seconds, cpu_seconds_of_processes, percentile, resident_bytes
from benchmarks.figures import Better, Figure, Target, at_least, at_most
from benchmarks.images import SMALL_JPEG, Images
from benchmarks.load import Answers, answers_to_clients
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, Service, filled, service
from benchmarks.stages import Stages, random_embedding
from xmirad.access.caller import Scope
from xmirad.access.tokens import new_token, token_record
from xmirad.catalog.tokens import insert_token
from xmirad.client.client import Client
from xmirad.client.credentials import Credentials
from xmirad.client.search_types import SearchSource
from xmirad.composition import catalog
from xmirad.home import Home
from xmirad.settings import Settings
from xmirad.types import EncodedImage

NAME = "load"
CLIENTS = (1, 4, 16, 64)
TOKENS = 8
"""So that eight clients share one, which may have 16 calls under way."""
MOST_CALLS = 2 * CLIENTS[-1]
ITEMS = (1_000, 50)
SEARCHES = {"item": (1_600, 64), "image": (480, 64)}
REPEATS = (4, 1)
BARE = 64
OF_BOUND = {16: 0.85}
KEPT_RATE = 0.8
FEW = 4
REFUSED_PERCENT = 5.0
MEGABYTE = 1e6
HIGHER, LOWER = Target(Better.HIGHER), Target(Better.LOWER)
PERCENTS = (50, 95, 99)


@dataclass(slots=True)
class _Repeats:
    """What one number of clients got, and what the cores could do at best just before, one entry a repeat."""

    answers: list[Answers] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def load(run: Run) -> Iterator[Figure]:
    """Search by item and by image with 1, 4, 16 and 64 clients in turn."""
    credentials = locked(Home(run.folder / NAME))
    items = run.count(*ITEMS)
    with service(run, NAME) as running, closing(Stages(run, run.folder / "loading", items=items)) as stages:
        names = filled(running, Images(SMALL_JPEG, seed=30, distinct=True), items)
        at_rest = resident_bytes(running.pid) / MEGABYTE
        for how, counts in SEARCHES.items():
            count = run.count(*counts)
            images = Images(SMALL_JPEG, seed=31, distinct=True).take(count if how == "image" else BARE)
            queries: Sequence[SearchSource] = images if how == "image" else [names[n % items] for n in range(count)]
            found = {clients: _Repeats() for clients in CLIENTS}
            for _ in range(run.count(*REPEATS)):
                bound = _bound(run, stages, images[:BARE] if how == "image" else [])
                for clients, repeats in found.items():
                    _measure(running, queries, credentials, clients, repeats)
                    repeats.bounds.append(bound)
            for clients, repeats in found.items():
                yield from _figures(run, how, clients, repeats, at_rest)
            yield _kept(how, found)


def locked(home: Home) -> Sequence[Credentials]:
    """Lock the service of a home that is not started yet, and return what lets in."""
    home.prepare()
    tokens = [new_token() for _ in range(TOKENS)]
    database = catalog(Settings(home=home.root), create=True).database
    for number, token in enumerate(tokens):
        record = token_record(token, name=f"caller-{number}", scopes=[Scope.READ], site="local")
        database.write(partial(insert_token, record=record))
    database.close()
    lines = ["[security]", "tokens = true", "[server]", f"max_concurrent_requests = {MOST_CALLS}", ""]
    (home.root / "config.toml").write_text("\n".join(lines), "utf-8")
    return [Credentials(token=token) for token in tokens]


def _bound(run: Run, stages: Stages, images: Sequence[EncodedImage]) -> float:
    """Return how many searches a second the cores could do if they did nothing else; without images, by item."""
    embeddings = [random_embedding(run.artifact.embedding_size, seed=number) for number in range(BARE)]
    each = cpu_seconds(stages.query, embeddings)
    if images:
        pixels = [stages.decode(image).pixels for image in images]
        each += cpu_seconds(stages.decode, images) + cpu_seconds(stages.embed, pixels)
    return run.cores / each


def _measure(
    running: Service, queries: Sequence[SearchSource], credentials: Sequence[Credentials], clients: int, into: _Repeats
) -> None:
    before = cpu_seconds_of_processes(running.pid)
    answers = answers_to_clients(running.address, _search, queries, count=clients, credentials=credentials)
    spent = cpu_seconds_of_processes(running.pid) - before
    into.answers.append(answers)
    into.cpu_ms.append(MILLISECONDS * spent / (len(queries) + clients))
    into.megabytes.append(resident_bytes(running.pid) / MEGABYTE)


def _figures(run: Run, how: str, clients: int, repeats: _Repeats, at_rest: float) -> Iterator[Figure]:
    name, answers = f"by {how}, {clients} client{'s' if clients > 1 else ''}", repeats.answers
    parts = "decode, model and store query" if how == "image" else "store query"
    rates, bounds = tuple(one.rate for one in answers), tuple(repeats.bounds)
    target = at_least(OF_BOUND[clients]) if how == "image" and clients in OF_BOUND else HIGHER
    bound = f"throughput bound of {run.cores} cores: {parts}"
    yield Figure(f"{name}, searches per second", "1/s", rates, bound, bounds, target)
    cpu_bounds = tuple(MILLISECONDS * run.cores / one for one in bounds)
    cpu = tuple(repeats.cpu_ms)
    yield Figure(f"{name}, CPU of the service per search", "ms", cpu, f"{parts} alone", cpu_bounds, LOWER)
    for percent in PERCENTS:
        waits = tuple(percentile(one.waits_ms, percent) for one in answers)
        yield Figure(f"{name}, p{percent}", "ms", waits, f"{parts} alone", cpu_bounds, LOWER)
    refused = tuple(one.refused_percent for one in answers)
    yield Figure(f"{name}, refused", "%", refused, "what is allowed", (REFUSED_PERCENT,), at_most(1))
    megabytes = tuple(repeats.megabytes)
    yield Figure(f"{name}, memory of the service", "MB", megabytes, "before the first search", (at_rest,), LOWER)


def _kept(how: str, found: Mapping[int, _Repeats]) -> Figure:
    many = CLIENTS[-1]
    return Figure(
        name=f"by {how}, {many} clients over {FEW}",
        unit="1/s",
        values=tuple(one.rate for one in found[many].answers),
        baseline=f"{FEW} clients",
        baseline_values=tuple(one.rate for one in found[FEW].answers),
        target=at_least(KEPT_RATE),
    )


def _search(client: Client, source: SearchSource) -> None:
    client.search(ARCHIVE, source)
