"""Opens the service to those who watch over it: metrics page, figures of the queue, traces."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from xmirad import __version__
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.observability.process_metrics import metrics_page, show_process, written_folders
from xmirad.observability.tracing import start_tracing, stop_tracing
from xmirad.queue.address import queue_url
from xmirad.queue.collector import QueueCollector
from xmirad.queue.connection import connect_impatiently
from xmirad.settings import Settings

PROCESS = "retrieval"


@contextmanager
def monitored(settings: Settings, *, methods: Collection[str]) -> Iterator[RetrievalMetrics]:
    """Yield what the service counts with; it is shown for the length of the block.

    Raises:
        BackendUnavailableError: If the metrics page cannot be served.
    """
    registry = CollectorRegistry()
    metrics = RetrievalMetrics(registry, methods=methods)
    show_process(registry, process=PROCESS, folders=written_folders(settings))
    url = queue_url(settings)
    if url is not None:
        registry.register(QueueCollector(connect_impatiently(url)))
    start_tracing(settings.tracing, process=PROCESS, version=__version__)
    try:
        with metrics_page(registry, settings.metrics):
            yield metrics
    finally:
        stop_tracing()
