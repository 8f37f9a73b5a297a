"""The home folder: what lies where, who may read it, and who holds it.

One process owns the data of a home at a time. It holds `run/service.lock`: the retrieval service while it runs,
and the offline command `archive verify` instead of it. Whoever supervises holds
`run/supervisor.lock`.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xmirad.errors import BackendUnavailableError, HomeInUseError

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
MIB = 1024 * 1024
LEAST_FREE_BYTES = 64 * MIB
"""What a start writes at most before a caller sends anything: logs, the queue's, the vector store's first pages."""
LEAST_FREE_FILES = 200

Reader = Callable[[Path], os.statvfs_result]


@dataclass(frozen=True, slots=True)
class Home:
    """The folders and files of a home."""

    root: Path

    @property
    def secrets(self) -> Path:
        """Folder of the secrets."""
        return self.root / "secrets"

    @property
    def store(self) -> Path:
        """Folder of the embedded vector store."""
        return self.root / "store"

    @property
    def catalog(self) -> Path:
        """SQLite file of the catalog."""
        return self.root / "catalog.db"

    @property
    def blobs(self) -> Path:
        """Folder of the blob store."""
        return self.root / "blobs"

    @property
    def training(self) -> Path:
        """Folder of training runs and of the images decoded for them; made when something is trained."""
        return self.root / "training"

    @property
    def run(self) -> Path:
        """Folder of locks, logs and the running service's announcement."""
        return self.root / "run"

    @property
    def service_lock(self) -> Path:
        """Lock of the process that owns the data."""
        return self.run / "service.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Lock of the process that supervises."""
        return self.run / "supervisor.lock"

    @property
    def service_file(self) -> Path:
        """Where a running service announces itself."""
        return self.run / "service.json"

    @property
    def queue_file(self) -> Path:
        """Where the supervisor says where the embedded queue is."""
        return self.run / "queue.json"

    @property
    def queue_data(self) -> Path:
        """Folder of the embedded queue's log."""
        return self.run / "queue"

    def worker_file(self, worker: str) -> Path:
        """Where a worker announces that it takes tasks; `worker` is `explainer` or `indexer`."""
        return self.run / f"{worker}.json"

    def heartbeat(self, worker: str) -> Path:
        """Where a worker gives signs of life; `worker` is `explainer` or `indexer`."""
        return self.run / f"{worker}.heartbeat"

    def prepare(self) -> None:
        """Create the folders that are missing, closed to other users (0700).

        Raises:
            BackendUnavailableError: If they cannot be made.
        """
        try:
            for folder in (self.root, self.secrets, self.store, self.blobs, self.run):
                folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self.root.chmod(PRIVATE_FOLDER)
            self.secrets.chmod(PRIVATE_FOLDER)
        except OSError as error:
            message = (
                f"the home folder {self.root} cannot be used: {error.strerror}; make it writable for this user, or "
                "name another one with --home or XMIRAD_HOME"
            )
            raise BackendUnavailableError(message, field="home", metadata={"backend": "home"}) from error

    def is_empty(self) -> bool:
        """Return whether the home holds no data yet: neither blobs nor embeddings.

        Folders whose names begin with a dot are where writers work, not data.
        """
        return not any(
            folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir())
            for folder in (self.store, self.blobs)
        )


@contextmanager
def exclusive(lock: Path, *, purpose: str) -> Iterator[None]:
    """Hold a lock until the block ends or the process dies.

    Args:
        lock: The lock's file. It stays, with what its last holder wrote in it.
        purpose: What the holder does, told to whoever comes second; such as `xmirad up`.

    Raises:
        HomeInUseError: If another process holds it; `metadata["holder"]` says who.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(lock) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"purpose": purpose, "pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _held(lock: Path) -> HomeInUseError:
    try:
        holder = json.loads(lock.read_text("utf-8"))
        text = f"{holder['purpose']} (process {holder['pid']})"
    except (OSError, ValueError, KeyError, TypeError):
        text = "another process"
    message = f"{lock.parent.parent} is in use by {text}; stop it or use another home"
    return HomeInUseError(message, field="home", metadata={"holder": text})


def room_lacking(folder: Path, *, read: Reader = os.statvfs) -> str | None:
    """Say what is missing on the file system of a folder, which need not exist yet; None if there is room."""
    figures = read(existing_part(folder))
    free = figures.f_bavail * figures.f_frsize
    if free < LEAST_FREE_BYTES:
        return f"only {free / MIB:.0f} MiB are free at {folder}, and a start needs {LEAST_FREE_BYTES / MIB:.0f} MiB"
    if figures.f_files and figures.f_favail < LEAST_FREE_FILES:
        return f"only {figures.f_favail} more files can be made at {folder}, and a start needs {LEAST_FREE_FILES}"
    return None


def existing_part(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
