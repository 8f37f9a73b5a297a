"""Opens a worker to those who watch over it: a metrics page in the parent, and a heartbeat on the queue's server."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celery.signals import heartbeat_sent, worker_process_init, worker_process_shutdown, worker_shutting_down
from celery.worker import state
from prometheus_client import CollectorRegistry, Gauge

from xmirad import __version__
from xmirad.errors import BackendUnavailableError
from xmirad.observability.logs import configure_logging
from xmirad.observability.process_metrics import metrics_page, show_process, written_folders
from xmirad.observability.tracing import start_tracing, stop_tracing
from xmirad.queue.backend_watch import watched_queue
from xmirad.queue.connection import connect_impatiently
from xmirad.queue.workers import WorkerRoll
from xmirad.settings import LoggingSettings, Settings
from xmirad.types import WorkerKind

PAGE_BYTES = 4096
QUIET = {"celery": logging.WARNING, "kombu": logging.WARNING, "celery.worker.consumer": logging.CRITICAL}
"""Libraries with a line for every task or for every attempt to connect, without what it is about."""
_log = logging.getLogger(__name__)


def configure_worker_logging(settings: LoggingSettings) -> None:
    """Send the log lines of this worker to one stream, and quiet its libraries."""
    configure_logging(settings)
    for library, level in QUIET.items():
        logging.getLogger(library).setLevel(level)


@contextmanager
def monitored(settings: Settings, *, process: WorkerKind, name: str, url: str) -> Iterator[None]:
    """Serve the metrics page of the parent for the length of the block, connect heartbeat and traces, watch the queue.

    What its processes measure is added up on the queue's server, and shown by the retrieval service.

    Args:
        settings: Where page and traces are.
        process: What kind of worker it is.
        name: Name of the worker.
        url: Of the queue's server.

    Raises:
        BackendUnavailableError: If the metrics page cannot be served.
    """

    def begin_process(**_: object) -> None:
        start_tracing(settings.tracing, process=process, version=__version__)

    def end_process(**_: object) -> None:
        stop_tracing()

    worker_process_init.connect(begin_process, weak=False)
    worker_process_shutdown.connect(end_process, weak=False)
    Heartbeat(name, url).connect_signals()
    registry = CollectorRegistry()
    show_process(registry, process=process, folders=written_folders(settings))
    show_worker(registry)
    with metrics_page(registry, settings.metrics), watched_queue(url):
        yield


def show_worker(registry: CollectorRegistry) -> None:
    """Register the processes of this worker, their memory, and what they are at."""
    processes = Gauge("xmirad_worker_processes", "Processes of this worker that carry out tasks.", registry=registry)
    processes.set_function(lambda: len(_children()))
    memory = Gauge("xmirad_worker_processes_bytes", "Resident memory of those processes.", registry=registry)
    memory.set_function(lambda: sum(map(_resident_bytes, _children())))
    active = Gauge("xmirad_worker_active_tasks", "Tasks that this worker is at.", registry=registry)
    active.set_function(lambda: len(state.active_requests))


class Heartbeat:
    """Says every two seconds that a worker lives, from the loop that hands out its tasks: when that hangs, it stops."""

    def __init__(self, name: str, url: str) -> None:
        """Speak for the worker of a name, on the server at a URL."""
        self._name = name
        self._roll = WorkerRoll(connect_impatiently(url))
        self._is_announced = True

    def connect_signals(self) -> None:
        """Have Celery call it."""
        heartbeat_sent.connect(self._beat, weak=False)
        worker_shutting_down.connect(self._leave, weak=False)

    def _beat(self, **_: object) -> None:
        try:
            self._roll.beat(self._name)
            self._is_announced = True
        except BackendUnavailableError as error:
            if self._is_announced:
                _log.warning("worker.not_announced", extra=_why(error))
            self._is_announced = False

    def _leave(self, **_: object) -> None:
        try:
            self._roll.leave(self._name)
        except BackendUnavailableError as error:  # it is forgotten within seconds anyway
            _log.warning("worker.not_announced", extra=_why(error))


def _why(error: BackendUnavailableError) -> dict[str, str]:
    cause, backend = error.metadata.get("cause", ""), error.metadata.get("backend", "")
    return {"reason": error.reason, "backend": backend, "cause": cause}


def _children() -> list[str]:
    """Return the ids of the processes that this one has started, by any of its threads."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [child for task in tasks for child in task.read_text("ascii").split()]


def _resident_bytes(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE_BYTES
    except OSError:  # it has just ended
        return 0
