"""How late an event loop wakes up while other threads keep the interpreter busy."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERVAL_SECONDS = 0.001


def delays_ms(seconds: float) -> list[float]:
    """Return by how many milliseconds each of many short sleeps was too long."""
    return asyncio.run(_delays_ms(seconds))


@contextmanager
def repeating(call: Callable[[], object]) -> Iterator[None]:
    """Repeat a call in another thread until the block ends."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            call()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def _delays_ms(seconds: float) -> list[float]:
    delays = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await asyncio.sleep(INTERVAL_SECONDS)
        delays.append(1_000 * (time.perf_counter() - began - INTERVAL_SECONDS))
    return delays
