"""A service of its own for a suite: started by the supervisor as `xmirad up` does, on a temporary home."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.images import Images
from benchmarks.run import Run
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import BackendUnavailableError
from xmirad.home import Home
from xmirad.settings import Settings
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.connection import PrivateUse, private_service
from xmirad.types import EncodedImage, ItemAttributes, WorkerKind

ARCHIVE = "benchmark"


@dataclass(frozen=True, slots=True)
class Service:
    """A running service with an archive.

    Attributes:
        address: Where it answers others than the owner of its home.
        pid: Its process.
        client: A client of it.
    """

    address: str
    pid: int
    client: Client

    def index(self, images: Iterable[EncodedImage]) -> list[str]:
        """Store images and return the names of the items; fails if one is not stored."""
        return index(self.client, images)


@contextmanager
def service(run: Run, name: str, *, explains: bool = False) -> Iterator[Service]:
    """Yield a service with an empty archive; its home is `name` below the run's folder.

    With `explains` it has a queue and an explainer.
    """
    settings = home_settings(run, run.folder / name)
    use = PrivateUse(workers=(WorkerKind.EXPLAINER,) if explains else (), is_asked_for=True)
    with (
        private_service(settings, notify=tell, use=use) as connection,
        Client(connection.address, credentials=connection.credentials) as client,
    ):
        announcement = find_service(Home(settings.home))
        if announcement is None:
            raise BackendUnavailableError("the service has gone", metadata={"backend": "service"})
        client.create_archive(ARCHIVE)
        yield Service(announcement.address, announcement.pid, client)


def home_settings(run: Run, home: Path) -> Settings:
    """Return the run's settings for another home."""
    settings = run.settings
    return Settings(home=home, models_dir=settings.models_dir, default_model=settings.default_model)


def index(client: Client, images: Iterable[EncodedImage], *, archive: str = ARCHIVE) -> list[str]:
    """Store images through the SDK and return the names of the items in any order."""
    names = []
    for outcome in client.upload(archive, uploads_of(images)):
        if outcome.receipt is None:
            raise outcome.error or RuntimeError("an upload had no outcome")
        names.append(outcome.receipt.item)
    return names


def uploads_of(images: Iterable[EncodedImage]) -> Iterator[Upload]:
    """Yield uploads as an indexing command makes them."""
    attributes = ItemAttributes(labels=("benchmark",), synthetic=True)
    for number, image in enumerate(images):
        yield Upload(image, correlation_id=str(number), attributes=attributes)


def filled(running: Service, images: Images, count: int) -> Sequence[str]:
    """Store a number of images and return their names in a fixed order."""
    return sorted(running.index(images.take(count)))


def tell(sentence: str) -> None:
    """Say what happens, beside the results."""
    sys.stderr.write(f"{sentence}\n")
