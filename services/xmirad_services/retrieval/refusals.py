"""Tells the log who is kept out, without letting strangers fill it."""

import time
from collections.abc import Callable

import structlog

from xmirad.errors import AccessDeniedError, QuotaExceededError, UnauthenticatedError, XmiradError

SECONDS_BETWEEN = 1.0
REFUSALS = (UnauthenticatedError, AccessDeniedError, QuotaExceededError)
_log = structlog.get_logger(__name__)


class RefusalLog:
    """Writes a line for refused calls, at most one a second. Belongs to one thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Write the first refusal at once."""
        self._clock = clock
        self._last: float | None = None
        self._count = 0

    def note(self, method: str, error: XmiradError) -> None:
        """Write that a call was refused, and how many were since the line before; other errors are no refusals."""
        if not isinstance(error, REFUSALS):
            return
        self._count += 1
        now = self._clock()
        if self._last is None or now - self._last >= SECONDS_BETWEEN:
            _log.warning("door.refused", method=method, reason=error.reason, count=self._count)
            self._last, self._count = now, 0
