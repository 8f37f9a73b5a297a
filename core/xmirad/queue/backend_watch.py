"""Says that a worker's queue is away, and that it is back: once each, however long it takes.

Celery goes on trying when the queue's server is away, and does not say by itself what is missing.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xmirad.errors import XmiradError
from xmirad.queue.connection import available, connect_impatiently

WATCH_SECONDS = 2.0
_log = logging.getLogger(__name__)


class BackendWatch:
    """Asks a backend for a sign of life again and again, in a thread that does not keep the process alive."""

    def __init__(
        self,
        ping: Callable[[], object],
        *,
        backend: str,
        seconds: float = WATCH_SECONDS,
    ) -> None:
        """Watch nothing yet.

        Args:
            ping: Raises an error of ours if the backend does not answer.
            backend: Its name in logs, where an error has none.
            seconds: Pause between two questions.
        """
        self._ping = ping
        self._backend = backend
        self._seconds = seconds
        self._is_up = True
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._run, name=f"watch-{self._backend}", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def look(self) -> None:
        """Ask once, and log if the answer is another than the last."""
        try:
            self._ping()
        except XmiradError as error:
            if self._is_up:
                backend, cause = error.metadata.get("backend", self._backend), error.metadata.get("cause", "")
                extra = {"backend": backend, "cause": cause, "reason": error.reason}
                _log.warning("backend.not_available", extra=extra)
            self._is_up = False
        else:
            if not self._is_up:
                _log.info("backend.available", extra={"backend": self._backend})
            self._is_up = True

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a watch that breaks once must go on
                _log.exception("backend.not_watched", extra={"backend": self._backend})
            self._stopped.wait(self._seconds)


@contextmanager
def watched_queue(url: str) -> Iterator[None]:
    """Watch the queue's server for the length of the block."""
    server = connect_impatiently(url)

    def ping() -> None:
        with available():
            server.ping()

    watch = BackendWatch(ping, backend="queue")
    watch.start()
    try:
        yield
    finally:
        watch.stop()
