"""Gathering upserts: few calls, every caller told, none lost."""

import asyncio
import gc
from contextlib import suppress
from typing import cast

import pytest

from support.indexing import WAIT_SECONDS, GatedArchive, until
from support.records import archive_record, item_record, unit_vector
from xmirad.archive.port import StoredItem
from xmirad.catalog.stored import stored_item
from xmirad.errors import BackendUnavailableError, InternalError
from xmirad.indexing.writer import LARGEST_BATCH, GatheringWriter
from xmirad.lanes import Lane, Priority

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


class Panic(BaseException):
    """As what pyo3 raises when Rust panics."""


async def test_a_panic_of_the_vector_store_is_told_to_every_caller_and_the_next_call_works() -> None:
    lane, archive = Lane("store", workers=1), GatedArchive(archive_record())
    archive.faults.append(Panic("index out of bounds"))
    writer = GatheringWriter(archive, lane)
    upserts = asyncio.gather(*(writer.upsert(item(number)) for number in range(3)), return_exceptions=True)
    failed = await asyncio.wait_for(upserts, WAIT_SECONDS)
    assert [type(error) for error in failed] == [InternalError] * 3
    await writer.upsert(item(9))
    assert archive.count() == 1
    lane.close()


async def test_a_lane_that_closes_leaves_no_caller_waiting() -> None:
    lane, archive = Lane("store", workers=1), GatedArchive(archive_record())
    writer = GatheringWriter(archive, lane)
    archive.gate.closed = True
    busy = lane.submit(Priority.INTERACTIVE, archive.gate.pass_through)
    upserts = [asyncio.create_task(writer.upsert(item(number))) for number in range(ITEMS)]
    await until(archive.gate.begun)
    closing = asyncio.create_task(asyncio.to_thread(lane.close))
    failed = await asyncio.wait_for(asyncio.gather(*upserts, return_exceptions=True), WAIT_SECONDS)
    assert {type(error) for error in failed} == {BackendUnavailableError}
    archive.gate.opened.set()
    await closing
    assert busy.done()


class EndingLane:
    """Ends with what ends a process, before it calls anything."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def run(self, *_: object) -> None:
        await asyncio.sleep(0)
        raise self.error


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError])
def test_what_ends_the_process_is_raised_once_all_callers_are_told(error: type[BaseException]) -> None:
    async def upsert_all() -> list[BaseException | None]:
        writer = GatheringWriter(GatedArchive(archive_record()), cast("Lane", EndingLane(error())))
        return await asyncio.gather(*(writer.upsert(item(number)) for number in range(ITEMS)), return_exceptions=True)

    with asyncio.Runner() as runner:
        callers = runner.get_loop().create_task(asyncio.wait_for(upsert_all(), WAIT_SECONDS))
        with suppress(SystemExit):
            runner.get_loop().run_until_complete(asyncio.shield(callers))
            assert error is asyncio.CancelledError
        told = runner.get_loop().run_until_complete(callers)
    assert [type(failure) for failure in told] == [BackendUnavailableError] * ITEMS
    # asyncio logs that nobody retrieved the SystemExit, with a traceback, for which Python 3.11 parses code: that must
    # not happen while pytest parses some, which then fails.
    gc.collect()
