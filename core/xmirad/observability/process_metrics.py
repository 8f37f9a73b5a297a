"""What every process shows of itself on its metrics page, and the page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, start_http_server

from xmirad import __version__
from xmirad.errors import BackendUnavailableError
from xmirad.settings import MetricsSettings


def show_process(registry: CollectorRegistry, *, process: str, home: Path) -> None:
    """Register memory, processor time and open files of this process, its version, and the disk of its home.

    Args:
        registry: Where the metrics page takes them from.
        process: Name of the kind of process, such as `retrieval`.
        home: Folder on the disk that matters.
    """
    ProcessCollector(registry=registry)
    build = Gauge("xmirad_build_info", "What runs; always 1.", ["process", "version"], registry=registry)
    build.labels(process, __version__).set(1)
    free = Gauge("xmirad_disk_free_bytes", "Free space on the disk of the home folder.", registry=registry)
    free.set_function(lambda: shutil.disk_usage(home).free)
    size = Gauge("xmirad_disk_size_bytes", "Size of the disk of the home folder.", registry=registry)
    size.set_function(lambda: shutil.disk_usage(home).total)


@contextmanager
def metrics_page(registry: CollectorRegistry, settings: MetricsSettings) -> Iterator[None]:
    """Serve the metrics page for the length of the block; not at all for port 0.

    Raises:
        BackendUnavailableError: If the address cannot be used.
    """
    if settings.port == 0:
        yield
        return
    try:
        server, thread = start_http_server(settings.port, addr=settings.host, registry=registry)
    except OSError as error:
        message = f"the metrics page cannot listen on {settings.host}, port {settings.port}: {error.strerror}"
        raise BackendUnavailableError(message, field="metrics.port", metadata={"backend": "network"}) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
