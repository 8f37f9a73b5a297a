"""The service is killed at each failpoint while it stores items; the same upload again must make everything whole."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.catalogs import sqlite_catalog
from support.live_service import LiveService, live_service
from support.pictures import png
from xmirad.archive.edge import EdgeStore
from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.stored import binding_of
from xmirad.catalog.verify import verify_archive
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import BackendUnavailableError
from xmirad.failpoints import FailpointName
from xmirad.types import ItemAttributes

ITEMS = 12
ARCHIVE = "killed"
ELSEWHERE = FailpointName.IN_FILL, FailpointName.AFTER_STATEMENT
PLACES = [name for name in FailpointName if name not in ELSEWHERE]


def uploads() -> Iterator[Upload]:
    for number in range(ITEMS):
        attributes = ItemAttributes(labels=(f"class-{number % 3}",))
        yield Upload(png(number), correlation_id=str(number), external_id=f"image-{number}", attributes=attributes)


def upload_until_killed(client: Client) -> set[str]:
    """Return the names of the items that were acknowledged before the service died."""
    acknowledged: set[str] = set()
    unanswered = 0
    try:
        for outcome in client.upload(ARCHIVE, uploads()):
            if outcome.receipt is not None:
                acknowledged.add(outcome.receipt.item)
            else:
                assert isinstance(outcome.error, BackendUnavailableError)
                unanswered += 1
    except BackendUnavailableError:
        unanswered += 1
    assert unanswered
    return acknowledged


def verify(service: LiveService) -> None:
    """Compare vector store and blob store of a stopped service."""
    blobs = open_blob_store(str(service.home / "blobs"))
    catalog, store = sqlite_catalog(service.home, create=False), EdgeStore(service.home / "store")
    record, images = catalog.archive("local", ARCHIVE), ImageBlobs(catalog.database, blobs)
    found = verify_archive(record, store.open(binding_of(record)), catalog=catalog, images=images)
    store.close()
    catalog.database.close()
    assert (found.items, found.problems) == (ITEMS, ())


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("count", [1, 7])
def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path, name: FailpointName, count: int) -> None:
    with live_service(tmp_path / "home") as service:
        with service.start(XMIRAD_FAILPOINT=f"{name}:{count}") as client:
            client.create_archive(ARCHIVE)
            acknowledged = upload_until_killed(client)
        assert service.wait() == -signal.SIGKILL
        with service.start() as client:
            present = {item.name for item in client.list_items(ARCHIVE)}
            assert acknowledged <= present
            for item in acknowledged:
                assert client.search(ARCHIVE, item, top_k=1).results[0].item == item
            outcomes = list(client.upload(ARCHIVE, uploads()))
            assert [outcome.error for outcome in outcomes] == [None] * ITEMS
            assert client.get_archive(ARCHIVE).item_count == ITEMS
        assert service.stop() == 0
        verify(service)
