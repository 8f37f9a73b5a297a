"""Ends calls that nobody attends: silent streams, and those whose caller is not accepted any more.

gRPC answers a call in one task, which waits in turns for a message, for work, and for an answer to be read. A time
limit of that task ends all three; in the last case the client, which reads nothing, sees its call broken off.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from xmirad.errors import BackendUnavailableError, XmiradError

LOOK_SECONDS = 1.0
RETRY_SECONDS = 1.0


class Attendance:
    """Follows one call. Belongs to the task that answers it."""

    def __init__(self, check: Callable[[], None], limit: asyncio.Timeout, *, idle_seconds: float) -> None:
        """End the call by its limit when a check fails, or when nothing came and went for a while."""
        self.failure: XmiradError | None = None
        self._check = check
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._idle_since: float | None = None
        self._timer = self._later()

    def idles(self) -> None:
        """Say that something came or went, and that the client is waited for from now on."""
        self._idle_since = time.monotonic()

    def works(self) -> None:
        """Say that the client is not waited for."""
        self._idle_since = None

    def end(self) -> None:
        """Follow it no longer."""
        self._timer.cancel()

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(min(LOOK_SECONDS, self._idle_seconds), self._look)

    def _look(self) -> None:
        try:
            self._check()
            if self._idle_since is not None and time.monotonic() - self._idle_since >= self._idle_seconds:
                raise silence(self._idle_seconds)
        except XmiradError as error:
            self.failure = error
            self._limit.reschedule(asyncio.get_running_loop().time())
        else:
            self._timer = self._later()


@asynccontextmanager
async def attended(check: Callable[[], None], *, idle_seconds: float) -> AsyncIterator[Attendance]:
    """Follow a call for the length of the block.

    Args:
        check: Looked at every second; what it raises ends the call.
        idle_seconds: How long the client may be waited for.

    Raises:
        BackendUnavailableError: If the client was waited for too long.
        XmiradError: What `check` raised.
    """
    attendance: Attendance | None = None
    try:
        async with asyncio.timeout(None) as limit:
            attendance = Attendance(check, limit, idle_seconds=idle_seconds)
            try:
                yield attendance
            finally:
                attendance.end()
    except TimeoutError as error:
        if attendance is None or attendance.failure is None:
            raise
        raise attendance.failure from error


def silence(seconds: float) -> BackendUnavailableError:
    """Return the error that ends a call of which nothing was seen for so long."""
    message = f"nothing of this call came or was read for {seconds:g} s, so the service ended it; call again"
    metadata = {"backend": "service", "stream_idle_seconds": f"{seconds:g}"}
    return BackendUnavailableError(message, metadata=metadata, retry_delay_seconds=RETRY_SECONDS)
