"""What many clients at once cost the rate of answers, at the default limits."""

from collections.abc import Iterator

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.images import SMALL_JPEG, Images
from benchmarks.load import rate_of_clients
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, filled, service
from xmirad.client.client import Client
from xmirad.errors import OverloadedError, QuotaExceededError
from xmirad.types import EncodedImage

FEW, MANY = 4, 64
ITEMS = (500, 20)
SEARCHES = (1_280, 128)
REPEATS = 3
KEPT_RATE = 0.8
REFUSED_PERCENT = 5.0


class CountingSearch:
    """Searches by image, and counts those that the service refuses for good."""

    def __init__(self) -> None:
        """Count from 0."""
        self.refused = 0

    def __call__(self, client: Client, image: EncodedImage) -> None:
        """Search once."""
        try:
            client.search(ARCHIVE, image)
        except (OverloadedError, QuotaExceededError):
            self.refused += 1


def crowd(run: Run) -> Iterator[Figure]:
    """Let 4 and 64 clients search by image in turn."""
    few_rates, many_rates, refused = [], [], []
    with service(run, "crowd") as running:
        filled(running, Images(SMALL_JPEG, seed=30), run.count(*ITEMS))
        queries = Images(SMALL_JPEG, seed=31).take(run.count(*SEARCHES))
        for _ in range(run.count(REPEATS, 1)):
            few_rates.append(rate_of_clients(running.address, CountingSearch(), queries, count=FEW))
            search = CountingSearch()
            rate = rate_of_clients(running.address, search, queries, count=MANY)
            share = search.refused / (len(queries) + MANY)
            many_rates.append(rate * (1 - share))
            refused.append(100 * share)
    yield Figure(
        name=f"searches answered per second, {MANY} clients",
        unit="1/s",
        values=tuple(many_rates),
        baseline=f"{FEW} clients",
        baseline_values=tuple(few_rates),
        target=at_least(KEPT_RATE),
    )
    yield Figure(
        name=f"searches refused, {MANY} clients",
        unit="%",
        values=tuple(refused),
        baseline="what is allowed",
        baseline_values=(REFUSED_PERCENT,),
        target=at_most(1.0),
    )
