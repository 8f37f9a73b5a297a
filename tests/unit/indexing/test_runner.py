"""Storing one image: what is written in which order, what is repeated, and what cancelling leaves."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.catalogs import damage_embedding
from support.indexing import Workshop, incoming, until, workshop
from xmirad.errors import (
    ArchiveNotFoundError,
    BackendUnavailableError,
    InvalidImageError,
    ItemAlreadyExistsError,
    ItemDeletedError,
)
from xmirad.ids import image_digest
from xmirad.indexing import applier
from xmirad.types import ItemAttributes, OriginalsPolicy, UploadState


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


async def test_an_image_is_durable_and_searchable_when_its_receipt_is_there(shop: Workshop) -> None:
    stored = await shop.runner().store(incoming(b"one"))
    record = shop.tools.catalog.item(shop.record, stored.item)
    assert (stored.state, stored.is_indexed) == (UploadState.CREATED, True)
    assert record is not None
    assert (record.image, record.revision) == (image_digest(b"one"), 1)
    assert shop.archive.get([stored.item])[0].payload.image_digest == record.image
    assert shop.tools.catalog.embedding_of_image(record.image, shop.record.model) is not None
    assert shop.tools.images.input(record.image, record.preprocessing) is not None
    assert shop.blobs() == [record.image]


async def test_the_same_again_writes_and_embeds_nothing(shop: Workshop) -> None:
    runner = shop.runner()
    first, second = await runner.store(incoming()), await runner.store(incoming())
    assert (first.item, second.state) == (second.item, UploadState.UNCHANGED)
    assert shop.embedded == [1]
    assert shop.archive.batches == [1]


async def test_other_attributes_become_the_next_revision(shop: Workshop) -> None:
    runner = shop.runner()
    stored = await runner.store(incoming())
    before = shop.tools.catalog.item(shop.record, stored.item)
    changed = await runner.store(incoming(attributes=ItemAttributes(labels=("new",))))
    after = shop.tools.catalog.item(shop.record, stored.item)
    assert before is not None
    assert after is not None
    assert changed.state is UploadState.UPDATED
    assert (after.revision, after.create_time, after.attributes.labels) == (2, before.create_time, ("new",))
    assert shop.archive.get([stored.item])[0].payload.attributes.labels == ("new",)


async def test_an_item_keeps_the_file_name_that_it_came_with(shop: Workshop) -> None:
    runner = shop.runner()
    first = await runner.store(incoming(file_name="normal/a.png"))
    again = await runner.store(incoming(file_name="elsewhere/b.png"))
    changed = await runner.store(incoming(attributes=ItemAttributes(labels=("new",)), file_name="elsewhere/b.png"))
    record = shop.tools.catalog.item(shop.record, first.item)
    assert (again.state, changed.state) == (UploadState.UNCHANGED, UploadState.UPDATED)
    assert record is not None
    assert record.identity.file_name == "normal/a.png"


async def test_an_item_without_a_file_name_gets_one_with_its_next_revision(shop: Workshop) -> None:
    runner = shop.runner()
    stored = await runner.store(incoming())
    await runner.store(incoming(attributes=ItemAttributes(labels=("new",)), file_name="normal/a.png"))
    record = shop.tools.catalog.item(shop.record, stored.item)
    assert record is not None
    assert record.identity.file_name == "normal/a.png"


async def test_another_image_of_the_same_identity_leaves_no_trace(shop: Workshop) -> None:
    runner = shop.runner()
    await runner.store(incoming(b"first"))
    with pytest.raises(ItemAlreadyExistsError):
        await runner.store(incoming(b"second"))
    assert shop.blobs() == [image_digest(b"first")]


async def test_a_bad_image_leaves_no_trace(shop: Workshop) -> None:
    with pytest.raises(InvalidImageError):
        await shop.runner().store(incoming(b"bad"))
    assert shop.blobs() == []


async def test_a_corrupt_embedding_is_computed_again(shop: Workshop) -> None:
    runner = shop.runner()
    stored = await runner.store(incoming())
    damage_embedding(shop.tools.catalog, stored.item, b"damaged")
    await runner.store(incoming())
    assert shop.embedded == [1, 1]
    assert shop.tools.catalog.embedding_of_image(image_digest(b"image"), shop.record.model) is not None


async def test_a_deleted_item_is_restored_only_if_told_so(shop: Workshop) -> None:
    runner = shop.runner()
    stored = await runner.store(incoming())
    shop.tools.catalog.add_tombstones(shop.record, [stored.item])
    with pytest.raises(ItemDeletedError):
        await runner.store(incoming())
    restored = await runner.store(incoming(restore_deleted=True))
    assert (restored.state, restored.is_indexed) == (UploadState.CREATED, True)
    assert not shop.tools.catalog.has_tombstone(shop.record, stored.item)
    assert shop.archive.count() == 1


async def test_originals_are_kept_only_if_the_archive_says_so(tmp_path: Path) -> None:
    for policy, kept in ((OriginalsPolicy.COPY, 1), (OriginalsPolicy.REFERENCE, 0)):
        with workshop(tmp_path / policy, originals=policy) as shop:
            await shop.runner().store(incoming())
            assert len(list((tmp_path / policy).rglob("originals/*/*"))) == kept


async def test_uploads_of_the_same_item_at_once_store_it_once(shop: Workshop) -> None:
    runner = shop.runner()
    stored = await asyncio.gather(*(runner.store(incoming()) for _ in range(8)))
    assert [each.state for each in stored].count(UploadState.CREATED) == 1
    assert {each.item for each in stored} == {stored[0].item}
    assert shop.embedded == [1]


async def test_an_upload_does_not_fail_with_the_index_which_follows_later(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applier, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(applier, "PAUSE_SECONDS", 0.3)
    runner = shop.runner()
    shop.archive.faults.append(BackendUnavailableError("down"))
    stored = await runner.store(incoming())
    assert (stored.state, stored.is_indexed, shop.archive.count()) == (UploadState.CREATED, False, 0)
    monkeypatch.setattr(applier, "WAIT_SECONDS", 5.0)
    again = await runner.store(incoming())
    assert (again.state, again.is_indexed, shop.archive.count()) == (UploadState.UNCHANGED, True, 1)


async def test_what_has_begun_to_be_written_is_stored_to_the_end_under_its_locks(shop: Workshop) -> None:
    shop.writing.closed = True
    storing = asyncio.create_task(shop.runner().store(incoming()))
    await until(shop.writing.begun)
    storing.cancel()
    deleting = asyncio.create_task(_take_lock(shop))
    await asyncio.sleep(0.05)
    assert not storing.done()
    assert not deleting.done()
    shop.writing.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert await deleting == 1


async def test_an_upload_that_is_cancelled_before_writing_leaves_no_trace(shop: Workshop) -> None:
    async with shop.tools.locks.holding(image_digest(b"image")):
        storing = asyncio.create_task(shop.runner().store(incoming()))
        await asyncio.sleep(0.05)
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
    assert (shop.blobs(), shop.archive.count()) == ([], 0)


async def test_a_closed_runner_ends_what_is_under_way_and_takes_nothing_new(shop: Workshop) -> None:
    shop.writing.closed = True
    runner = shop.runner()
    storing = asyncio.create_task(runner.store(incoming()))
    await until(shop.writing.begun)
    closing = asyncio.create_task(runner.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    with pytest.raises(ArchiveNotFoundError):
        await runner.store(incoming(b"late", external_id="late"))
    shop.writing.opened.set()
    await closing
    assert (await storing).state is UploadState.CREATED
    assert shop.archive.count() == 1


async def _take_lock(shop: Workshop) -> int:
    """Do what a deletion does: wait for the image's lock, then look at the records."""
    async with shop.tools.locks.holding(image_digest(b"image")):
        return shop.tools.catalog.count_items(shop.record)
