"""What many clients at once cost the rate of answers of a locked service.

Quotas are those of a caller, so the clients share several tokens and stay below the default of calls at a time that
each may have. The limit of the whole service is set beyond their number: what is measured is waiting, not refusing.
"""

from collections.abc import Iterator, Sequence

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.images import SMALL_JPEG, Images
from benchmarks.load import rate_of_clients
from benchmarks.run import Run
from benchmarks.service import ARCHIVE, filled, service
from xmirad.access.caller import Scope
from xmirad.access.keys_file import create_token
from xmirad.client.client import Client
from xmirad.client.credentials import Credentials
from xmirad.errors import OverloadedError, QuotaExceededError
from xmirad.home import Home
from xmirad.types import EncodedImage

NAME = "crowd"
FEW, MANY = 4, 64
TOKENS = 8
"""So that eight clients share one, which may have 16 calls under way."""
MOST_CALLS = 2 * MANY
ITEMS = (500, 20)
SEARCHES = (960, 128)
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


def locked(home: Home) -> Sequence[Credentials]:
    """Lock the service of a home that is not started yet, and return what lets in."""
    home.prepare()
    keys = home.secrets / "keys.toml"
    names = [f"caller-{number}" for number in range(TOKENS)]
    tokens = [create_token(keys, name=name, scopes=[Scope.READ], site="local") for name in names]
    lines = ["[security]", f'keys_file = "{keys}"', "[server]", f"max_concurrent_requests = {MOST_CALLS}", ""]
    (home.root / "config.toml").write_text("\n".join(lines), "utf-8")
    return [Credentials(token=token) for token in tokens]


def crowd(run: Run) -> Iterator[Figure]:
    """Let 4 and 64 clients search by image in turn."""
    few_rates, many_rates, refused = [], [], []
    credentials = locked(Home(run.folder / NAME))
    with service(run, NAME) as running:
        filled(running, Images(SMALL_JPEG, seed=30), run.count(*ITEMS))
        queries = Images(SMALL_JPEG, seed=31).take(run.count(*SEARCHES))
        for _ in range(run.count(REPEATS, 1)):
            few = rate_of_clients(running.address, CountingSearch(), queries, count=FEW, credentials=credentials)
            few_rates.append(few)
            search = CountingSearch()
            rate = rate_of_clients(running.address, search, queries, count=MANY, credentials=credentials)
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
