"""Work for the service that does not cost the measuring process its interpreter lock."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import TypeVar

from benchmarks.clock import MILLISECONDS
from benchmarks.images import ImageKind, Images
from benchmarks.service import index
from xmirad.client.client import Client
from xmirad.client.credentials import NO_CREDENTIALS, Credentials
from xmirad.errors import OverloadedError, QuotaExceededError
from xmirad.types import EncodedImage

T = TypeVar("T")
CLIENTS = 16
OTHER_ARCHIVE = "filling"
WARM_UP_SECONDS = 1.5
_processes = multiprocessing.get_context("spawn")  # gRPC does not survive a fork


@contextmanager
def indexing_of(kind: ImageKind, address: str, *, seed: int) -> Iterator[None]:
    """Store images of a kind in an archive of their own, from another process, until the block ends."""
    stop = _processes.Event()
    process = _processes.Process(target=_index_until, args=(stop, kind, address, seed), daemon=True)
    process.start()
    try:
        time.sleep(WARM_UP_SECONDS)
        yield
        if not process.is_alive():
            raise RuntimeError("indexing ended before it was told to")
    finally:
        stop.set()
        process.join()


@dataclass(frozen=True, slots=True)
class Answers:
    """What clients got who searched at the same time.

    Attributes:
        waits_ms: How long each search took that was answered.
        refused: How many were refused for good.
        seconds: How long all of it took.
    """

    waits_ms: Sequence[float]
    refused: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.waits_ms) / self.seconds

    @property
    def refused_percent(self) -> float:
        """Percentage that was refused."""
        return 100 * self.refused / (self.refused + len(self.waits_ms))


def answers_to_clients(
    address: str,
    search: Callable[[Client, T], object],
    queries: Sequence[T],
    *,
    count: int = CLIENTS,
    credentials: Sequence[Credentials] = (NO_CREDENTIALS,),
) -> Answers:
    """Let so many clients search at the same time, each without a pause.

    They are threads of this process, each with a connection of its own: a search costs a client about a
    millisecond of processor time, far less than it costs the service, so the lock that they share is not what limits
    them, and as many processes would need more time to start than to search.

    Args:
        address: Where the service is.
        search: Searches once.
        queries: What to search with, dealt out to the clients.
        count: How many clients.
        credentials: Dealt out to the clients in turn.
    """
    with ExitStack() as stack:
        shown = [credentials[number % len(credentials)] for number in range(count)]
        clients = [stack.enter_context(Client(address, credentials=each)) for each in shown]
        threads = stack.enter_context(ThreadPoolExecutor(count))

        def one(client: Client, share: Sequence[T]) -> list[float | None]:
            return [_wait_ms(search, client, query) for query in share]

        def everything(some: Sequence[T]) -> list[float | None]:
            shares = [some[number::count] for number in range(count)]
            return [wait for waits in threads.map(one, clients, shares) for wait in waits]

        everything(queries[:count])
        began = time.perf_counter()
        waits = everything(queries)
        seconds = time.perf_counter() - began
    answered = [wait for wait in waits if wait is not None]
    return Answers(answered, len(waits) - len(answered), seconds)


def _wait_ms(search: Callable[[Client, T], object], client: Client, query: T) -> float | None:
    """Return how long a search takes, or None if it is refused."""
    began = time.perf_counter()
    try:
        search(client, query)
    except (OverloadedError, QuotaExceededError):
        return None
    return MILLISECONDS * (time.perf_counter() - began)


def _index_until(stop: Event, kind: ImageKind, address: str, seed: int) -> None:
    images = Images(kind, seed=seed)

    def endless() -> Iterator[EncodedImage]:
        while not stop.is_set():
            yield from images.take(1)

    with Client(address) as client:
        client.create_archive(OTHER_ARCHIVE)
        index(client, endless(), archive=OTHER_ARCHIVE)
