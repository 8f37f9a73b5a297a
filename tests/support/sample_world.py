"""A live service with an archive of the sample items, and the slow search to hold it against."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.live_service import LiveService, live_service
from support.sample_items import SlowSearch, samples, store_samples
from xmirad.client import Client

ARCHIVE = "samples"


@dataclass(frozen=True, slots=True)
class World:
    """The service's client, the oracle, and the service itself."""

    client: Client
    slow: SlowSearch
    service: LiveService

    @property
    def names(self) -> dict[int, str]:
        """The items' names by the samples' numbers."""
        return dict(self.slow.names)

    @property
    def home(self) -> Path:
        """The service's home."""
        return self.service.home


@contextmanager
def sample_world(folder: Path) -> Iterator[World]:
    """Run a service with its home below a folder, and store the samples."""
    with live_service(folder / "home") as service, service.start() as client:
        names = store_samples(client, ARCHIVE)
        embeddings = {sample.number: client.embed_image(sample.image).embedding for sample in samples()}
        yield World(client, SlowSearch(names, embeddings), service)
