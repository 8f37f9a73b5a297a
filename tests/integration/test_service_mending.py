"""A damaged vector store costs nobody anything but a moment: the service mends it, and all but searches go on."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.live_service import live_service
from support.pictures import png
from xmirad.client import Client, Upload
from xmirad.errors import ArchiveRebuildingError

ITEMS = 80
"""More than are mended without a word."""


def found(client: Client) -> int:
    """Return how many items a search finds, waiting as long as it is told to."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return len(client.search("chest", png(1), top_k=ITEMS).results)
        except ArchiveRebuildingError as error:
            refused = error
        assert refused.retry_delay_seconds is not None
        assert int(refused.metadata["done"]) <= int(refused.metadata["total"])
        time.sleep(0.1)
    raise AssertionError("the store is not mended")


def remove(store: Path) -> None:
    shutil.rmtree(store)


def damage(store: Path) -> None:
    files = [file for file in store.rglob("shard/segments/**/*") if file.is_file()]
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("harm", [remove, damage])
def test_a_service_mends_its_store_and_does_everything_else_meanwhile(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    with live_service(tmp_path / "home") as service:
        with service.start() as client:
            client.create_archive("chest")
            uploads = [Upload(png(number), correlation_id=str(number)) for number in range(ITEMS)]
            receipts = [outcome.receipt for outcome in client.upload("chest", uploads)]
            assert all(receipt is not None and receipt.is_indexed for receipt in receipts)
            assert found(client) == ITEMS
        service.stop()
        harm(service.home / "store")
        with service.start() as client:
            names = [item.name for item in client.list_items("chest")]
            assert len(names) == ITEMS
            assert [archive.item_count for archive in client.list_archives()] == [ITEMS]
            client.delete_item(names[0])
            client.create_item("chest", Upload(png(ITEMS)))
            assert client.get_archive("chest").item_count == ITEMS
            assert found(client) == ITEMS
            assert names[0] not in {result.item for result in client.search("chest", png(1), top_k=ITEMS).results}
        assert service.stop() == 0
        log = service.log.read_text()
        assert "index.mended" in log
        assert "Traceback" not in log


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_graph_is_made_while_the_archive_is_searched_and_filled(tmp_path: Path, *, is_killed: bool) -> None:
    with live_service(tmp_path / "home", XMIRAD_STORE__EDGE_INDEX="hnsw") as service:
        with service.start() as client:
            client.create_archive("chest")
            list(client.upload("chest", [Upload(png(n), correlation_id=str(n)) for n in range(ITEMS)]))
            assert client.search("chest", png(1)).exact
            assert client.rebuild_archive("chest").rebuilding is not None
            if not is_killed:
                client.create_item("chest", Upload(png(ITEMS)))
                wait_until_optimized(client)
                assert len(client.search("chest", png(1), top_k=ITEMS + 1).results) == ITEMS + 1
                return
        service.kill()
        with service.start() as client:
            wait_until_optimized(client)
            assert found(client) == ITEMS
            assert not list((service.home / "store").glob("*.beside*"))


def wait_until_optimized(client: Client) -> None:
    deadline = time.monotonic() + 60
    while (archive := client.get_archive("chest")).rebuilding is not None or archive.optimizing:
        assert time.monotonic() < deadline, "no graph was made"
        time.sleep(0.1)
    assert not client.search("chest", png(1)).exact
