"""How much longer one caller's search takes while another caller sends images that are slow to decode."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

from benchmarks.clock import milliseconds_each, percentile
from benchmarks.figures import Better, Figure, Target, at_most
from benchmarks.images import SMALL_JPEG, Images, many_scans, slow_png
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, Service, filled, service
from benchmarks.suites.load import locked
from xmirad.client.client import Client
from xmirad.client.credentials import Credentials
from xmirad.errors import XmiradError
from xmirad.home import Home
from xmirad.types import EncodedImage

NAME = "fairness"
ITEMS = (1_000, 50)
QUERIES = (100, 20)
REPEATS = 3
SLOW_CALLS = 16
"""As many as one caller may have under way."""
WARM_UP_SECONDS = 1.0
PAUSE_SECONDS = 0.005
SLOWER = 3.0


def fairness(run: Run) -> Iterator[Figure]:
    """Search by image as one caller while another one sends 16 slow images again and again, and while it does not."""
    hostile, victim, *_ = locked(Home(run.folder / NAME))
    with service(run, NAME) as running:
        filled(running, Images(SMALL_JPEG, seed=60, distinct=True), run.count(*ITEMS))
        kinds = {"JPEGs of 10,000 scans": many_scans(), "6,300x6,300 PNGs": slow_png()}
        for kind, image in kinds.items():
            yield from _beside(run, running, kind, image, hostile=hostile, victim=victim)


def _beside(
    run: Run, running: Service, kind: str, image: EncodedImage, *, hostile: Credentials, victim: Credentials
) -> Iterator[Figure]:
    queries = Images(SMALL_JPEG, seed=61, distinct=True).take(run.count(*QUERIES))
    idle: list[Sequence[float]] = []
    busy: list[Sequence[float]] = []
    with Client(running.address, credentials=victim) as client:
        _waits(client, queries[:5])
        for _ in range(run.count(REPEATS, 1)):
            idle.append(_waits(client, queries))
            with _sending(running.address, image, hostile):
                busy.append(_waits(client, queries))
    for percent, target in ((50, at_most(SLOWER)), (95, at_most(SLOWER)), (100, Target(Better.LOWER))):
        yield Figure(
            name=f"search by image beside {SLOW_CALLS} {kind} of another caller, p{percent}",
            unit="ms",
            values=tuple(percentile(waits, percent) for waits in busy),
            baseline="no other caller",
            baseline_values=tuple(percentile(waits, percent) for waits in idle),
            target=target,
        )


@contextmanager
def _sending(address: str, image: EncodedImage, credentials: Credentials) -> Iterator[None]:
    """Keep as many calls with an image under way as one caller may, until the block ends."""
    ended = threading.Event()

    def send(client: Client) -> None:
        while not ended.is_set():
            with suppress(XmiradError):  # it takes too long, or too many of them wait
                client.search(ARCHIVE, image)

    with ThreadPoolExecutor(SLOW_CALLS) as threads, ExitStack() as stack:
        for _ in range(SLOW_CALLS):
            threads.submit(send, stack.enter_context(Client(address, credentials=credentials)))
        try:
            time.sleep(WARM_UP_SECONDS)
            yield
        finally:
            ended.set()


def _waits(client: Client, queries: Sequence[EncodedImage]) -> list[float]:
    """Return how long each search takes, as one reader sees it who pauses a little in between."""
    waits = []
    for query in queries:
        waits += milliseconds_each(lambda asked: client.search(ARCHIVE, asked), [query])
        time.sleep(PAUSE_SECONDS)
    return waits
