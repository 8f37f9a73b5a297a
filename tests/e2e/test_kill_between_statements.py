"""The service is killed after a statement that changes the catalog, somewhere in the life of an archive."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from support.live_service import LiveService, live_service
from support.pictures import png
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError, ItemNotFoundError
from xmirad.ids import image_digest
from xmirad.types import ItemAttributes

ARCHIVE = "killed"
OLD, NEW = range(5), range(5, 8)
KILLED_AFTER = range(2, 26, 6)
"""Of some thirty statements; each of them held when all were tried."""
PURGE_SECONDS = 30.0


class Life:
    """What a user does with an archive, step by step; a step without an answer is done again.

    Attributes:
        stored: Names of the items that were acknowledged and not deleted since.
        open: Names of items that the step under way may have stored or deleted already.
    """

    def __init__(self) -> None:
        self.stored: dict[int, str] = {}
        self.open: set[str] = set()
        self._steps: list[Callable[[Client], object]] = [
            self._create_archive,
            *(partial(self._store, number=number) for number in OLD),
            self._delete_first,
            partial(self._store, number=0, restore_deleted=True),
            partial(self._store, number=1, label="other"),
            self._delete_archive,
            self._create_archive,
            *(partial(self._store, number=number) for number in NEW),
        ]

    def go_on(self, client: Client) -> bool:
        """Do what is left; return False if the service went away before all was done."""
        while self._steps:
            try:
                self._steps[0](client)
            except BackendUnavailableError:
                return False
            self._steps.pop(0)
            self.open = set()
        return True

    def _create_archive(self, client: Client) -> None:
        client.create_archive(ARCHIVE)

    def _store(self, client: Client, number: int, label: str = "", *, restore_deleted: bool = False) -> None:
        attributes = ItemAttributes(labels=(label or f"class-{number % 3}",))
        upload = Upload(
            png(number), external_id=f"image-{number}", attributes=attributes, restore_deleted=restore_deleted
        )
        self.stored[number] = client.create_item(ARCHIVE, upload).item

    def _delete_first(self, client: Client) -> None:
        self._let_go(0)
        [name] = self.open
        with suppress(ItemNotFoundError):  # its answer was lost
            client.delete_item(name)

    def _delete_archive(self, client: Client) -> None:
        self._let_go(*OLD)
        with suppress(ArchiveNotFoundError):
            client.delete_archive(ARCHIVE, force=True)

    def _let_go(self, *numbers: int) -> None:
        self.open |= {self.stored.pop(number) for number in numbers if number in self.stored}


def check(client: Client, life: Life) -> None:
    """Compare what searches and lists find with what was acknowledged."""
    try:
        present = [item.name for item in client.list_items(ARCHIVE)]
    except ArchiveNotFoundError:
        assert not life.stored
        return
    assert len(set(present)) == len(present)
    assert set(life.stored.values()) <= set(present)
    for name in life.stored.values():
        assert client.search(ARCHIVE, name, top_k=1).results[0].item == name


def left_of(service: LiveService, numbers: range) -> list[Path]:
    digests = {image_digest(png(number).data) for number in numbers}
    blobs = (path for path in (service.home / "blobs").rglob("*") if path.is_file())
    return [path for path in blobs if any(digest in path.as_posix() for digest in digests)]


@pytest.mark.parametrize("count", KILLED_AFTER)
def test_a_kill_after_any_statement_loses_nothing_doubles_nothing_and_leaves_nothing(
    tmp_path: Path, database_url: str, count: int
) -> None:
    life = Life()
    with live_service(tmp_path / "home", XMIRAD_CATALOG__URL=database_url) as service:
        begun = tmp_path / "begun"
        with service.start(XMIRAD_FAILPOINT=f"after_statement:{count}@{begun}") as client:
            begun.touch()
            is_done = life.go_on(client)
        if not is_done:
            assert service.wait() == -signal.SIGKILL
            with service.start() as client:
                check(client, life)
                assert life.go_on(client)
        with Client(service.address) as client:
            check(client, life)
            assert sorted(item.name for item in client.list_items(ARCHIVE)) == sorted(life.stored.values())
            assert client.get_archive(ARCHIVE).item_count == len(NEW)
            found = client.search(ARCHIVE, life.stored[NEW[0]], top_k=20).results
            assert sorted(result.item for result in found) == sorted(life.stored.values())
            deadline = time.monotonic() + PURGE_SECONDS
            while left_of(service, OLD) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not left_of(service, OLD)
            assert not is_done, f"the whole life takes fewer than {count} statements: nothing was killed"
