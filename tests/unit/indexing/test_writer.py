"""Gathering upserts: few calls, every caller told, none lost."""

import asyncio

import pytest

from support.indexing import GatedArchive, until
from support.records import archive_record, item_record, unit_vector
from xmirad.archive.port import StoredItem
from xmirad.catalog.stored import stored_item
from xmirad.errors import BackendUnavailableError
from xmirad.indexing.writer import LARGEST_BATCH, GatheringWriter
from xmirad.lanes import Lane

ITEMS = LARGEST_BATCH + 10


def item(number: int) -> StoredItem:
    return stored_item(item_record(number), "local", unit_vector(number))


async def test_what_waits_is_written_in_few_calls() -> None:
    lane, archive = Lane("store", workers=1), GatedArchive(archive_record())
    archive.gate.closed = True
    writer = GatheringWriter(archive, lane)
    upserts = [asyncio.create_task(writer.upsert(item(number))) for number in range(ITEMS)]
    await until(archive.gate.begun)
    archive.gate.opened.set()
    await asyncio.gather(*upserts)
    assert archive.count() == ITEMS
    assert sum(archive.batches) == ITEMS
    assert len(archive.batches) <= 3
    assert max(archive.batches) <= LARGEST_BATCH
    lane.close()


async def test_every_item_of_a_failing_call_is_told_and_the_next_call_works() -> None:
    lane, archive = Lane("store", workers=1), GatedArchive(archive_record())
    archive.faults.append(BackendUnavailableError("down"))
    writer = GatheringWriter(archive, lane)
    failed = await asyncio.gather(*(writer.upsert(item(number)) for number in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [BackendUnavailableError] * 3
    await writer.upsert(item(9))
    assert archive.count() == 1
    lane.close()


async def test_a_caller_that_goes_away_does_not_stop_the_others() -> None:
    lane, archive = Lane("store", workers=1), GatedArchive(archive_record())
    archive.gate.closed = True
    writer = GatheringWriter(archive, lane)
    upserts = [asyncio.create_task(writer.upsert(item(number))) for number in range(3)]
    await until(archive.gate.begun)
    upserts[1].cancel()
    archive.gate.opened.set()
    await upserts[0]
    await upserts[2]
    with pytest.raises(asyncio.CancelledError):
        await upserts[1]
    assert archive.count() == 3
    lane.close()
