"""Deleting items: completely, in an order that survives being cut short, and never another item's image."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from support.indexing import GatedArchive, Workshop, incoming, until, workshop
from support.records import item_record
from xmirad.archive.port import Archive
from xmirad.blobs import keys
from xmirad.catalog.records import ArchiveRecord
from xmirad.errors import ArchiveNotReadyError, BackendUnavailableError, ItemDeletedError, ItemNotFoundError
from xmirad.ids import image_digest
from xmirad.imaging.preprocessing import IMAGENET
from xmirad.indexing.runner import IndexRunner
from xmirad.models.artifact import ModelArtifact
from xmirad.types import DicomHeader, EncodedImage, OriginalsPolicy
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives
from xmirad_services.retrieval.purging import Purger
from xmirad_services.retrieval.queries import EmbedQuery


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


async def no_explanations(archive: str, items: Sequence[str]) -> None:
    assert archive
    assert items


def parts(shop: Workshop) -> tuple[Purger, OpenArchive, IndexRunner]:
    runner = shop.runner()
    opened = OpenArchive(shop.record, shop.archive, cast("ModelArtifact", None), cast("EmbedQuery", shop.embed), runner)
    return Purger(cast("OpenArchives", Handles(shop)), shop.tools, forget=no_explanations), opened, runner


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


class TwoArchives:
    """Knows the archive of a workshop and another one, which may be out of order."""

    def __init__(self, shop: Workshop, other: ArchiveRecord, *, broken: bool = False) -> None:
        self._shop = shop
        self._broken = broken
        self.other = GatedArchive(other)

    async def handle(self, record: ArchiveRecord) -> Archive:
        if record.archive == self._shop.record.archive:
            return self._shop.archive
        if self._broken:
            raise ArchiveNotReadyError("the vector store has lost it")
        return self.other


@pytest.mark.parametrize("same_image", [False, True])
async def test_an_archive_that_cannot_be_asked_is_looked_up_in_its_records(shop: Workshop, same_image: bool) -> None:
    _, opened, runner = parts(shop)
    stored = await runner.store(incoming())
    shop.tools.catalog.create_archive(replace(shop.record, archive="lost"))
    shop.tools.catalog.put_item(item_record(archive="lost", image=stored.image if same_image else "0" * 64))
    archives = TwoArchives(shop, replace(shop.record, archive="lost"), broken=True)
    await Purger(cast("OpenArchives", archives), shop.tools, forget=no_explanations).delete(opened, stored.item)
    assert shop.tools.catalog.item("chest", stored.item) is None
    assert shop.blobs() == ([stored.image] if same_image else [])


@pytest.mark.parametrize("policy", list(OriginalsPolicy))
async def test_a_file_goes_with_the_last_item_whose_archive_keeps_files(
    shop: Workshop, policy: OriginalsPolicy
) -> None:
    """The archive that is left, if it keeps references only, must not keep a file with a patient's name in it."""
    _, opened, runner = parts(shop)
    stored = await runner.store(incoming())
    other = shop.tools.catalog.create_archive(replace(shop.record, archive="other", originals=policy))
    archives = TwoArchives(shop, other)
    second = IndexRunner(other, archives.other, shop.embed, IMAGENET, shop.tools)
    await second.store(incoming())
    await Purger(cast("OpenArchives", archives), shop.tools, forget=no_explanations).delete(opened, stored.item)
    assert shop.blobs() == [stored.image]
    blobs = shop.tools.catalog._blobs
    assert blobs.exists(keys.original(stored.image)) is (policy is OriginalsPolicy.COPY)
    assert shop.tools.images.embedding(stored.image, shop.record.model) is not None


def two_frames(frame: int) -> DicomHeader:
    return DicomHeader("1.1", "1.2", "1.3", frame, frame_count=2)


async def test_deleting_one_frame_waits_for_the_upload_of_another_frame_of_its_file(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the file is found there by the upload, and unused by the deletion."""
    purger, opened, runner = parts(shop)
    shop.decoder.header = two_frames(1)
    first = await runner.store(incoming(image=EncodedImage(b"file", frame=1)))
    shop.decoder.header = two_frames(2)
    begun, gate, put = asyncio.Event(), asyncio.Event(), runner._index

    async def index_later(*arguments: object) -> object:
        begun.set()
        await gate.wait()
        return await put(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "_index", index_later)
    storing = asyncio.create_task(runner.store(incoming(image=EncodedImage(b"file", frame=2))))
    await begun.wait()
    deleting = asyncio.create_task(purger.delete(opened, first.item))
    done, _ = await asyncio.wait({deleting}, timeout=0.1)
    assert not done
    gate.set()
    await asyncio.gather(storing, deleting)
    assert shop.tools.catalog._blobs.exists(keys.original(image_digest(b"file")))


async def test_finishing_completes_deletions_that_were_cut_short_behind_the_index(shop: Workshop) -> None:
    purger, opened, runner = parts(shop)
    half, whole = await runner.store(incoming(external_id="half")), await runner.store(incoming(external_id="whole"))
    shop.tools.catalog.bury_item("chest", half.item)
    shop.archive.delete([half.item])
    await purger.finish(opened)
    assert shop.tools.catalog.item("chest", half.item) is None
    assert [record.item for record in shop.tools.catalog.items("chest")] == [whole.item]
