"""Gathers the upserts of many images into few calls of the vector store."""

import asyncio
from collections.abc import Iterable

from xmirad.archive.port import Archive, StoredItem
from xmirad.errors import BackendUnavailableError
from xmirad.lanes import Lane, Priority

LARGEST_BATCH = 64


class GatheringWriter:
    """Upserts whatever is waiting in one call, as soon as the call before has ended. Belongs to one event loop."""

    def __init__(self, archive: Archive, lane: Lane) -> None:
        """Write to an archive on the vector store's lane."""
        self._archive = archive
        self._lane = lane
        self._waiting: list[tuple[StoredItem, asyncio.Future[None]]] = []
        self._draining: asyncio.Task[None] | None = None

    async def upsert(self, item: StoredItem) -> None:
        """Return when the item is durable and found by searches.

        Raises:
            XmiradError: As `Archive.upsert` does; every item of a batch that failed is told.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        await done

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            try:
                await self._lane.run(Priority.BACKGROUND, self._archive.upsert, [item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - each waiting caller gets it
                _settle(batch, error)
            except BaseException:  # the process ends, or its event loop: nobody goes on writing
                left, self._waiting = self._waiting, []
                _settle([*batch, *left], BackendUnavailableError("the service ends", metadata={"backend": "service"}))
                raise
            else:
                _settle(batch, None)


def _settle(batch: Iterable[tuple[StoredItem, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
