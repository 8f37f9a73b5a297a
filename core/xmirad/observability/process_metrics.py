"""What every process shows of itself on its metrics page, and the page."""

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, start_http_server

from xmirad import __version__
from xmirad.errors import BackendUnavailableError
from xmirad.settings import MetricsSettings, Settings


class DiskUsage(Protocol):
    """How full a disk is, in bytes."""

    @property
    def total(self) -> int:
        """Size of the disk."""
        ...

    @property
    def free(self) -> int:
        """What is free of it."""
        ...


Usage = Callable[[Path], DiskUsage]


def written_folders(settings: Settings) -> dict[str, Path]:
    """Return the folders whose disks may fill up, by name: the home, and the blob store if it is a folder."""
    blobs = {} if settings.blobs_folder is None else {"blobs": settings.blobs_folder}
    return {"home": settings.home, **blobs}


def show_process(
    registry: CollectorRegistry, *, process: str, folders: Mapping[str, Path], usage: Usage = shutil.disk_usage
) -> None:
    """Register memory, processor time and open files of this process, its version, and the disks it writes to.

    Args:
        registry: Where the metrics page takes them from.
        process: Name of the kind of process, such as `retrieval`.
        folders: What is written to, by name. A folder that is not there yet stands for the one it will be in.
        usage: Returns how full the disk of a folder is.
    """
    ProcessCollector(registry=registry)
    build = Gauge("xmirad_build_info", "What runs; always 1.", ["process", "version"], registry=registry)
    build.labels(process, __version__).set(1)
    free = Gauge("xmirad_disk_free_bytes", "Free space on the disk of a folder.", ["folder"], registry=registry)
    size = Gauge("xmirad_disk_size_bytes", "Size of the disk of a folder.", ["folder"], registry=registry)
    for name, folder in folders.items():
        free.labels(name).set_function(partial(_free_bytes, folder, usage))
        size.labels(name).set_function(partial(_size_bytes, folder, usage))


def _free_bytes(folder: Path, usage: Usage) -> float:
    disk = _disk(folder, usage)
    return math.nan if disk is None else disk.free


def _size_bytes(folder: Path, usage: Usage) -> float:
    disk = _disk(folder, usage)
    return math.nan if disk is None else disk.total


def _disk(folder: Path, usage: Usage) -> DiskUsage | None:
    """Return how full a folder's disk is; None if it cannot be looked at, which must not cost the whole page."""
    try:
        return usage(next(path for path in (folder, *folder.parents) if path.exists()))
    except OSError:
        return None


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
