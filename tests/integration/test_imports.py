"""Imports by live processes: what they store, and what survives a kill."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live_explainer import wait_until
from support.live_imports import LiveImports, live_imports
from support.live_service import free_port
from support.lossy_proxy import lossy_proxy
from support.pictures import png
from support.supervised import children_of, gone
from support.web import get
from xmirad.client.aio import AioClient
from xmirad.client.client import Client
from xmirad.errors import ConcurrentImportError, ImportNotFoundError, InvalidRequestError
from xmirad.phantoms.writing import write_phantoms
from xmirad.types import ImportState

pytestmark = pytest.mark.slow
KILLED_AFTER = (2, 17, 35)
"""Of some hundred and fifty statements; each held when all were tried."""
QUICK = {
    "XMIRAD_QUEUE__VISIBILITY_SECONDS": "13",
    "XMIRAD_QUEUE__TASK_SECONDS": "6",
    "XMIRAD_LIMITS__DECODE_SECONDS": "2.5",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveImports]:
    with live_imports(tmp_path_factory.mktemp("imports"), **QUICK) as running:
        yield running


@pytest.fixture
def live(system: LiveImports) -> Iterator[LiveImports]:
    """Yield the system with an empty folder, a new archive and no indexer."""
    system.renew()
    yield system
    system.close()


@pytest.fixture
def client(live: LiveImports) -> Iterator[Client]:
    with live.client() as connected:
        connected.create_archive(live.archive)
        yield connected


def test_an_import_stores_every_image_and_says_which_failed(live: LiveImports, client: Client) -> None:
    write_phantoms(live.folders, images_per_class=4, seed=7)
    (live.folders / "nodules" / "synthetic-nodules-0000.png").write_bytes(b"no image")
    live.start_indexer()

    updates = list(client.watch_import(client.create_import(live.archive, "images").name))

    last = updates[-1]
    assert last.state is ImportState.SUCCEEDED
    assert (last.total, last.created, last.failed) == (12, 11, 1)
    assert last.finish_time is not None
    assert {path: error.reason for path, error in last.failures.items()} == {
        "nodules/synthetic-nodules-0000.png": "IMAGE_UNDECODABLE"
    }
    assert client.get_archive(live.archive).item_count == 11
    item = next(iter(client.list_items(live.archive)))
    found = client.search(live.archive, item.name, top_k=3)
    assert found.results[0].item == item.name
    assert found.results[0].score == pytest.approx(1.0, abs=1e-5)


def test_an_import_is_begun_once_when_the_answer_is_lost(live: LiveImports, client: Client) -> None:
    write_phantoms(live.folders, images_per_class=1, seed=7)
    with lossy_proxy(live.service.address) as proxy, Client(proxy.address) as behind:
        proxy.lose("CreateImport")
        begun = behind.create_import(live.archive, "images")
        assert proxy.lost == ["CreateImport"]
        with pytest.raises(ConcurrentImportError):
            behind.create_import(live.archive, "images")
    assert [found.name for found in client.list_imports(archive=live.archive)] == [begun.name]


def test_pages_show_the_indexer_and_what_imports_could_not_store(live: LiveImports, client: Client) -> None:
    write_phantoms(live.folders, images_per_class=2, seed=7)
    (live.folders / "nodules" / "synthetic-nodules-0000.png").write_bytes(b"no image")
    port = free_port()
    live.start_indexer(XMIRAD_METRICS__PORT=str(port))
    list(client.watch_import(client.create_import(live.archive, "images").name))

    _, own = get(f"http://127.0.0.1:{port}/metrics")
    assert "xmirad_worker_processes 1.0" in own
    assert 'xmirad_disk_free_bytes{folder="blobs"}' in own

    def shown(name: str) -> float:
        return float(re.findall(rf"(?m)^{name} (\S+)$", get(live.service_page)[1])[0])

    wait_until(lambda: shown("xmirad_import_failed_images") >= 1 and shown("xmirad_import_waiting_images") == 0)


def test_importing_again_finds_everything_unchanged(live: LiveImports, client: Client) -> None:
    write_phantoms(live.folders, images_per_class=2, seed=7)
    live.start_indexer()
    first, second = (list(client.watch_import(client.create_import(live.archive, "images").name))[-1] for _ in range(2))

    assert (first.created, second.created, second.unchanged) == (6, 0, 6)
    assert [each.name for each in client.list_imports(archive=live.archive)] == [first.name, second.name]
    assert (first.name, second.name) == (f"imports/{live.archive}-000001", f"imports/{live.archive}-000002")


def test_an_import_outlives_the_kill_of_its_indexer_and_the_loss_of_the_queue(
    live: LiveImports, client: Client
) -> None:
    write_phantoms(live.folders, images_per_class=40, seed=7)
    live.start_indexer(XMIRAD_FAILPOINT="after_record:50")  # ends the process that stores, not the worker
    name = client.create_import(live.archive, "images").name
    wait_until(lambda: client.get_archive(live.archive).item_count > 20)
    live.kill_indexer()
    live.valkey.connect().flushall()
    live.start_indexer()

    last = list(client.watch_import(name))[-1]

    assert last.state is ImportState.SUCCEEDED
    assert (last.done, last.failed) == (120, 0)
    assert client.get_archive(live.archive).item_count == 120


@pytest.mark.parametrize("count", KILLED_AFTER)
def test_an_import_outlives_the_kill_of_its_indexer_after_any_statement(
    live: LiveImports, client: Client, tmp_path: Path, count: int
) -> None:
    write_phantoms(live.folders, images_per_class=4, seed=7)
    begun = tmp_path / "begun"
    attempts = {"XMIRAD_QUEUE__ATTEMPTS": "20"}  # each process that dies takes one
    indexer = live.start_indexer(XMIRAD_FAILPOINT=f"after_statement:{count}@{begun}", **attempts)
    wait_until(lambda: children_of(indexer.pid) != [])
    before = children_of(indexer.pid)
    begun.touch()
    name = client.create_import(live.archive, "images").name
    wait_until(lambda: any(gone(child) for child in before))
    live.kill_indexer()  # its next process would die as well
    assert client.get_import(name).state in (ImportState.QUEUED, ImportState.RUNNING)  # or nothing was killed
    live.start_indexer(**attempts)
    last = list(client.watch_import(name))[-1]
    assert last.state is ImportState.SUCCEEDED
    assert (last.created + last.unchanged, last.failed) == (12, 0)
    assert client.get_archive(live.archive).item_count == 12
    names = {item.name for item in client.list_items(live.archive)}
    found = [result.item for result in client.search(live.archive, min(names), top_k=20).results]
    assert sorted(found) == sorted(names)
    assert len(names) == 12


def test_a_second_import_into_an_archive_and_its_deletion_are_refused_until_the_first_has_ended(
    live: LiveImports, client: Client
) -> None:
    write_phantoms(live.folders, images_per_class=2, seed=7)
    first = client.create_import(live.archive, "images")  # no indexer runs

    assert first.state is ImportState.QUEUED
    with pytest.raises(ConcurrentImportError, match=f"imports/{live.archive}-000001"):
        client.create_import(live.archive, "images")
    with pytest.raises(ConcurrentImportError):
        client.delete_archive(live.archive, force=True)
    assert client.cancel_import(first.name).state is ImportState.CANCELLED
    assert client.cancel_import(first.name).state is ImportState.CANCELLED
    live.start_indexer()
    second = list(client.watch_import(client.create_import(live.archive, "images").name))[-1]
    assert second.state is ImportState.SUCCEEDED
    assert client.get_import(first.name).done == 0
    client.delete_archive(live.archive, force=True)
    with pytest.raises(ImportNotFoundError):
        client.get_import(first.name)


def test_a_cancelled_import_stops_within_seconds(live: LiveImports, client: Client) -> None:
    write_phantoms(live.folders, images_per_class=100, seed=7)
    live.start_indexer()
    name = client.create_import(live.archive, "images").name
    wait_until(lambda: client.get_archive(live.archive).item_count > 0)

    client.cancel_import(name)

    time.sleep(3)
    stored = client.get_archive(live.archive).item_count
    time.sleep(2)
    assert client.get_archive(live.archive).item_count == stored < 300


def test_an_image_that_always_ends_its_worker_fails_the_import_after_three_attempts(
    live: LiveImports, client: Client
) -> None:
    write_phantoms(live.folders, images_per_class=1, seed=7)
    live.start_indexer(XMIRAD_FAILPOINT="after_blob")

    last = list(client.watch_import(client.create_import(live.archive, "images").name))[-1]

    assert last.state is ImportState.FAILED
    assert last.error is not None
    assert last.error.metadata["attempts"] == "3"


async def test_the_asynchronous_client_imports_as_well(live: LiveImports, client: Client) -> None:
    write_phantoms(live.folders, images_per_class=2, seed=7)
    live.start_indexer()
    async with AioClient(live.service.address) as aio:
        created = await aio.create_import(live.archive, "images", split="all")
        last = [each async for each in aio.watch_import(created.name)][-1]
        listed = [each.name async for each in aio.list_imports(archive=live.archive)]
        cancelled = await aio.cancel_import(created.name)

        assert await aio.get_import(created.name) == last == cancelled
    assert (last.state, last.created, listed) == (ImportState.SUCCEEDED, 6, [created.name])


def test_an_unknown_alias_is_refused_and_a_folder_that_is_gone_fails_by_its_alias(
    live: LiveImports, client: Client
) -> None:
    with pytest.raises(InvalidRequestError, match="known are: images"):
        client.create_import(live.archive, str(live.folders))
    live.folders.rmdir()
    live.start_indexer()

    last = list(client.watch_import(client.create_import(live.archive, "images").name))[-1]

    assert last.state is ImportState.FAILED
    assert last.error is not None
    assert last.error.message == "there is nothing at images"


def test_an_import_waits_for_a_vector_store_that_is_away(live: LiveImports, client: Client) -> None:
    write_phantoms(live.folders, images_per_class=2, seed=7)
    live.start_indexer()
    live.qdrant.pause()
    name = client.create_import(live.archive, "images").name
    time.sleep(1)
    live.qdrant.resume()

    assert list(client.watch_import(name))[-1].created == 6


def test_nothing_of_the_images_is_logged(live: LiveImports, client: Client) -> None:
    folder = live.folders / "MUELLER^ANNA"
    folder.mkdir()
    (folder / "MUELLER-1.png").write_bytes(png(1).data)
    (folder / "MUELLER-2.png").write_bytes(b"no image")
    live.start_indexer(XMIRAD_LOGGING__LEVEL="debug")
    list(client.watch_import(client.create_import(live.archive, "images").name))

    assert "MUELLER" not in live.log.read_text() + live.service.log.read_text()
