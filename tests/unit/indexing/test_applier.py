"""Applying marks: what a store acknowledged but may have lost, what fails, and what other processes have marked."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.indexing import Workshop, workshop
from support.memory_archive import MemoryArchive
from support.records import item_record, unit_vector
from xmirad.catalog.marks import Marks
from xmirad.catalog.stored import binding_of
from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError, EmbeddingCorruptError
from xmirad.indexing import applier


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    monkeypatch.setattr(applier, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(applier, "FLUSH_SECONDS", 0.05)
    with workshop(tmp_path) as made:
        yield made


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


def all_marks(shop: Workshop) -> int:
    """Return how many marks there are, after making those that were acknowledged pending again."""
    marks = Marks(shop.tools.catalog.database)
    marks.reopen(shop.record)
    return marks.count_pending(shop.record, at_most=1_000)


async def test_what_a_process_before_had_acknowledged_is_applied_again(shop: Workshop) -> None:
    """Power failed before the store was flushed: only the mark tells of the item."""
    ticket = shop.tools.catalog.put_item(item_record(), unit_vector(0))
    assert ticket is not None
    Marks(shop.tools.catalog.database).settle(shop.record, [(item_record().item, ticket)])
    shop.applier()
    await eventually(lambda: shop.archive.count() == 1)


async def test_marks_of_another_process_are_found_and_forgotten_once_they_are_durable(shop: Workshop) -> None:
    shop.applier()
    for number in range(200):  # as an import does, which wakes nobody
        shop.tools.catalog.put_item(item_record(number), unit_vector(number))
    await eventually(lambda: shop.archive.count() == 200)
    assert max(shop.archive.batches) <= applier.LARGEST_BATCH
    await asyncio.sleep(0.3)
    await eventually(lambda: all_marks(shop) == 0)


@pytest.mark.parametrize("fault", [BackendUnavailableError("down"), EmbeddingCorruptError("odd")])
async def test_a_store_that_fails_is_tried_again(shop: Workshop, fault: BaseException) -> None:
    shop.archive.faults += [fault, fault]
    shop.tools.catalog.put_item(item_record(), unit_vector(0))
    shop.applier()
    await eventually(lambda: shop.archive.count() == 1)


async def test_an_archive_that_cannot_be_flushed_holds_up_no_other(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was deleted right after an upload."""
    monkeypatch.setattr(applier, "PAUSE_SECONDS", 60.0)
    other = shop.tools.catalog.create_archive(replace(shop.record, creation="d" * 32, archive="other"))
    shop.others[other.creation] = MemoryArchive(binding_of(other))

    def fail() -> None:
        raise ArchiveNotFoundError("gone")

    monkeypatch.setattr(shop.archive, "flush", fail)
    shop.tools.catalog.put_item(item_record(), unit_vector(0))
    shop.applier()
    await eventually(lambda: shop.archive.count() == 1)
    await asyncio.sleep(0.2)
    for number in range(3):
        record = item_record(number, creation=other.creation, archive="other")
        shop.tools.catalog.put_item(record, unit_vector(number))
        await eventually(lambda n=number: shop.others[other.creation].count() == n + 1)  # type: ignore[misc]
