"""Deleting items: completely, in an order that survives being cut short, and never another item's image."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from support.indexing import Workshop, incoming, until, workshop
from xmirad.archive.port import Archive
from xmirad.catalog.records import ArchiveRecord
from xmirad.errors import BackendUnavailableError, ItemDeletedError, ItemNotFoundError
from xmirad.ids import image_digest
from xmirad.indexing.runner import IndexRunner
from xmirad.models.artifact import ModelArtifact
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives
from xmirad_services.retrieval.purging import Purger


class Handles:
    """Knows the one archive of a workshop."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    async def handle(self, record: ArchiveRecord) -> Archive:
        return self._shop.archive


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        made.tools.catalog.create_archive(made.record)
        yield made


def parts(shop: Workshop) -> tuple[Purger, OpenArchive, IndexRunner]:
    runner = shop.runner()
    opened = OpenArchive(shop.record, shop.archive, cast("ModelArtifact", None), shop.embed, runner)
    return Purger(cast("OpenArchives", Handles(shop)), shop.tools), opened, runner


async def test_a_deleted_item_leaves_its_tombstone_only(shop: Workshop) -> None:
    purger, opened, runner = parts(shop)
    stored = await runner.store(incoming())
    await purger.delete(opened, stored.item)
    assert (shop.blobs(), shop.archive.count()) == ([], 0)
    assert shop.tools.catalog.item("chest", stored.item) is None
    assert shop.tools.catalog.is_buried("chest", stored.item)
    with pytest.raises(ItemNotFoundError):
        await purger.delete(opened, stored.item)


async def test_an_image_stays_as_long_as_an_item_uses_it(shop: Workshop) -> None:
    purger, opened, runner = parts(shop)
    first = await runner.store(incoming(external_id="first"))
    second = await runner.store(incoming(external_id="second"))
    await purger.delete(opened, first.item)
    assert shop.blobs() == [image_digest(b"image")]
    await purger.delete(opened, second.item)
    assert shop.blobs() == []


async def test_a_deletion_that_was_cut_short_hides_the_item_and_is_completed_by_asking_again(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    purger, opened, runner = parts(shop)
    stored = await runner.store(incoming())

    def fail(items: Sequence[str]) -> None:
        raise BackendUnavailableError("down")

    with monkeypatch.context() as broken:
        broken.setattr(shop.archive, "delete", fail)
        with pytest.raises(BackendUnavailableError):
            await purger.delete(opened, stored.item)
    assert list(shop.tools.catalog.items("chest")) == []
    with pytest.raises(ItemDeletedError):
        await runner.store(incoming())
    await purger.delete(opened, stored.item)
    assert (shop.blobs(), shop.archive.count()) == ([], 0)
    assert shop.tools.catalog.item("chest", stored.item) is None


async def test_a_deletion_waits_for_an_upload_that_was_cancelled_while_it_was_written(shop: Workshop) -> None:
    purger, opened, runner = parts(shop)
    stored = await runner.store(incoming())
    shop.archive.delete([stored.item])
    shop.archive.gate.begun.clear()
    shop.archive.gate.closed = True
    storing = asyncio.create_task(runner.store(incoming()))
    await until(shop.archive.gate.begun)
    storing.cancel()
    deleting = asyncio.create_task(purger.delete(opened, stored.item))
    await asyncio.sleep(0.05)
    shop.archive.gate.opened.set()
    await deleting
    await asyncio.gather(storing, return_exceptions=True)
    assert (shop.blobs(), shop.archive.count()) == ([], 0)


async def test_emptying_deletes_every_item(shop: Workshop) -> None:
    purger, opened, runner = parts(shop)
    for number in range(5):
        await runner.store(incoming(bytes([number]), external_id=str(number)))
    await purger.empty(opened)
    assert (shop.blobs(), shop.archive.count()) == ([], 0)


async def test_emptying_finishes_deletions_that_were_cut_short(shop: Workshop) -> None:
    purger, opened, runner = parts(shop)
    stored = await runner.store(incoming())
    shop.tools.catalog.bury_item("chest", stored.item)  # and here the process died
    await purger.empty(opened)
    assert (shop.blobs(), shop.archive.count()) == ([], 0)
    assert shop.tools.catalog.item("chest", stored.item) is None
