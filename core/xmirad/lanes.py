"""Worker threads that serve waiting readers before background work.

A lane stands for one scarce thing: the model's streams, the blob writers, the vector store (the decoder children have a
fair queue of their own: `imaging/fair_queue.py`). Interactive calls are
taken before background calls. While readers are about, background calls leave one worker free, so that the next reader
need not wait for one of them to end, and those of several lanes take turns, so that a core is free as well.
"""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import copy_context
from enum import IntEnum
from typing import Any, TypeVar

from xmirad.errors import BackendUnavailableError, InternalError

T = TypeVar("T")
READER_PRESENCE_SECONDS = 2.0


class Priority(IntEnum):
    """Who waits for a call."""

    INTERACTIVE = 0
    BACKGROUND = 1


class Turns:
    """Bounds how many background calls run at the same time in several lanes together, while readers are about.

    Belongs to one event loop.
    """

    def __init__(self, limit: int) -> None:
        """Let so many run, at least one, once a reader was seen."""
        self._limit = max(1, limit)
        self._running = 0
        self._ended = asyncio.Event()
        self._reader_seen = float("-inf")

    def reader_is_here(self) -> None:
        """Note that a reader asks for something; for two seconds background calls take turns."""
        self._reader_seen = time.monotonic()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a turn for the length of the block, waiting for it if there is need."""
        while self._running >= self._limit and time.monotonic() - self._reader_seen <= READER_PRESENCE_SECONDS:
            await self._ended.wait()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._ended.set()  # wakes all who wait, which are few; the first of them goes on
            self._ended.clear()


class Lane:
    """A fixed number of worker threads with two priorities."""

    def __init__(self, name: str, *, workers: int, turns: Turns | None = None) -> None:
        """Start the workers.

        Args:
            name: Shows in thread lists.
            workers: How many calls run at the same time.
            turns: What the background calls of `run` share with other lanes.
        """
        self._turns = turns
        self._ready = threading.Condition()
        self._queue: list[tuple[Priority, int, Future[Any], Callable[[], Any]]] = []
        self._order = itertools.count()
        self._closing = False
        self._workers = workers
        self._background_running = 0
        self._reader_seen = float("-inf")
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    async def run(self, priority: Priority, call: Callable[..., T], *args: object) -> T:
        """Call a function on the lane and await its result; cancelling drops it if it has not begun.

        The function sees the caller's context variables: request id and trace go with it.

        Raises:
            BackendUnavailableError: If the lane is closed before the call has begun.
            InternalError: If the call panics, as a library in Rust does, which is no `Exception`.
        """
        context = copy_context()
        if priority is Priority.INTERACTIVE or self._turns is None:
            return await self._result(priority, lambda: context.run(call, *args))
        async with self._turns.one():
            return await self._result(priority, lambda: context.run(call, *args))

    async def _result(self, priority: Priority, call: Callable[[], T]) -> T:
        try:
            return await asyncio.wrap_future(self.submit(priority, call))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closing and not (task and task.cancelling()):  # it is the call that was cancelled, not its caller
                raise _closed() from None
            raise

    def submit(self, priority: Priority, call: Callable[[], T]) -> Future[T]:
        """Queue a call.

        Raises:
            BackendUnavailableError: If the lane is closed.
        """
        future: Future[T] = Future()
        with self._ready:
            if self._closing:
                raise _closed()
            if priority is Priority.INTERACTIVE:
                self._reader_seen = time.monotonic()
            heapq.heappush(self._queue, (priority, next(self._order), future, call))
            self._ready.notify()
        return future

    def close(self) -> None:
        """Let running calls end, cancel the queued ones, and wait for the workers."""
        with self._ready:
            self._closing = True
            for *_, future, _ in self._queue:
                future.cancel()
            self._queue.clear()
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            priority, future, call = taken
            try:
                if future.set_running_or_notify_cancel():
                    _settle(future, call)
            finally:
                del taken, future, call  # an image may hang on them while this thread waits
                if priority is Priority.BACKGROUND:
                    with self._ready:
                        self._background_running -= 1
                        self._ready.notify()

    def _take(self) -> tuple[Priority, Future[Any], Callable[[], Any]] | None:
        with self._ready:
            while not self._closing:
                if self._queue and self._may_begin(self._queue[0][0]):
                    priority, _, future, call = heapq.heappop(self._queue)
                    self._background_running += priority is Priority.BACKGROUND
                    return priority, future, call
                self._ready.wait(READER_PRESENCE_SECONDS if self._queue else None)
            return None

    def _may_begin(self, priority: Priority) -> bool:
        if priority is Priority.INTERACTIVE or self._background_running < max(1, self._workers - 1):
            return True
        return time.monotonic() - self._reader_seen > READER_PRESENCE_SECONDS


def _settle(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result = call()
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - whoever awaits the future gets it
        future.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - a panic in Rust, which `except Exception` of callers does not catch
        failure = InternalError("a library failed in a way that it does not recover from")
        failure.__cause__ = error
        future.set_exception(failure)
    else:
        future.set_result(result)


def _closed() -> BackendUnavailableError:
    return BackendUnavailableError("the service ends", metadata={"backend": "service"})
