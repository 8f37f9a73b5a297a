"""The catalog's SQLite file: how it is opened, who may write it when, and where it must not lie.

Several processes of one machine share the file (write-ahead log). Writers take an exclusive `flock` of a neighboring
file first: SQLite's own busy handler polls, and lets small writes starve beside bulk ones. Nothing but SQLite ever
opens the database's file, since closing any other descriptor of it would drop SQLite's locks.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from xmirad.errors import BackendUnavailableError, InvalidRequestError

OLDEST_VERSION = (3, 51, 3)
"""Earlier ones can corrupt a write-ahead log that several connections write and checkpoint."""
LOCK_SECONDS = 10.0
"""How long a writer waits for another one: an upload fails rather than hang."""
LARGEST_BATCH = 64
POLL_SECONDS = 0.001
LONGEST_POLL_SECONDS = 0.02
CONNECTIONS = 8
JOURNAL_BYTES = 64 * 1024 * 1024
PRIVATE_FILE = 0o600
PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit outlives a loss of power
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # what is deleted may name a patient
    f"PRAGMA journal_size_limit = {JOURNAL_BYTES}",
)
MOUNTS = Path("/proc/self/mountinfo")
NETWORK_FILE_SYSTEMS = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"}
)
NETWORK_FUSE = frozenset({"fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"})


Work = Callable[[Connection], Any]


@dataclass(slots=True)
class _Waiting:
    """The work of a thread, and what came of it."""

    work: Work
    is_done: bool = False
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs the work of one thread of all processes at a time, and of threads that wait meanwhile in one transaction.

    A commit waits for the disk, so what waits for the commit before shares the next one.
    """

    def __init__(self, lock: Path) -> None:
        """Lock by a file, which is made when it is first needed and stays."""
        self._lock = lock
        self._turn = threading.Lock()
        self._waiting: deque[_Waiting] = deque()

    def run(self, engine: Engine, work: Work) -> Any:  # noqa: ANN401 - what the work returns
        """Return what `work` returns, once it is committed.

        Raises:
            BackendUnavailableError: If another writer holds the lock for too long; nothing is written.
        """
        mine = _Waiting(work)
        self._waiting.append(mine)
        with self._turn:
            if not mine.is_done:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_BATCH))]
                try:
                    with self.held(), engine.connect() as connection:
                        _run_batch(connection, batch)
                except BaseException as error:  # noqa: BLE001 - each thread raises its own
                    for each in batch:
                        each.error = each.error or error
                for each in batch:
                    each.is_done = True
        if mine.error is not None:
            raise mine.error
        return mine.result

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing until the block ends or the process dies.

        Raises:
            BackendUnavailableError: If another one writes for too long.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            _wait_for(descriptor, time.monotonic() + LOCK_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _run_batch(connection: Connection, batch: Sequence[_Waiting]) -> None:
    """Run the work of some threads in one transaction, in which each succeeds or fails alone."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        if len(batch) == 1:  # it may end the transaction, so it needs no savepoint
            batch[0].result = batch[0].work(connection)
        else:
            for each in batch:
                _run_one(connection, each)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        raw = connection.connection.dbapi_connection
        if raw is not None:
            raw.rollback()
        raise


def _run_one(connection: Connection, each: _Waiting) -> None:
    connection.exec_driver_sql("SAVEPOINT work")
    try:
        each.result = each.work(connection)
    except BaseException as error:
        each.error = error
        raw = connection.connection.dbapi_connection
        if raw is None or not raw.in_transaction:  # a disk that is full or fails ends all of it
            raise
        connection.exec_driver_sql("ROLLBACK TO work")
    connection.exec_driver_sql("RELEASE work")


def _wait_for(descriptor: int, deadline: float) -> None:
    pause = POLL_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise locked() from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL_SECONDS)
        else:
            return


def locked() -> BackendUnavailableError:
    """Return what to tell whoever waited for another writer in vain."""
    message = f"another process has kept the catalog locked for more than {LOCK_SECONDS:g} s"
    metadata = {"backend": "catalog", "cause": "LOCKED"}
    return BackendUnavailableError(message, metadata=metadata, retry_delay_seconds=1.0)


def sqlite_engine(path: Path) -> Engine:
    """Return an engine whose connections commit each statement, unless it follows a BEGIN.

    Raises:
        BackendUnavailableError: If this SQLite is too old.
    """
    if dbapi2.sqlite_version_info < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        message = f"SQLite {dbapi2.sqlite_version} is too old for the catalog: {oldest} or later is needed"
        raise BackendUnavailableError(message, metadata={"backend": "catalog", "cause": "SQLITE_TOO_OLD"})
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=dbapi2,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False},
        pool_size=CONNECTIONS,
        max_overflow=CONNECTIONS,
        pool_reset_on_return=None,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: dbapi2.Connection, _: ConnectionPoolEntry) -> None:
        connection.text_factory = _text
        for pragma in PRAGMAS:
            connection.execute(pragma)

    return engine


def use_write_ahead_log(connection: Connection) -> None:
    """Have a file use a write-ahead log from now on; only for one that is known to be a catalog.

    Whoever reads it just then is in the way, and SQLite's busy handler does not wait for that.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _text(data: bytes) -> str:
    """Decode what damage may have made invalid: an error would cost the whole page its row is read with."""
    return data.decode("utf-8", errors="replace")


def create_file(path: Path) -> None:
    """Make an empty file for a database, closed to other users, unless one is there; the name outlives a power cut."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def check_file_system(folder: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a network file system: its locks and shared memory do not hold between machines.

    Raises:
        InvalidRequestError: If the folder lies on one.
    """
    kind = _file_system(folder.resolve(), mounts)
    if kind in NETWORK_FILE_SYSTEMS | NETWORK_FUSE:
        message = (
            f"the catalog's folder {folder} lies on a network file system ({kind}), where SQLite loses data: "
            "move the home to a local disk, or set catalog.url to a PostgreSQL server"
        )
        raise InvalidRequestError(message, field="catalog.url", metadata={"path": str(folder), "file_system": kind})


def _file_system(folder: Path, mounts: Path) -> str:
    """Return the type of the file system that a folder lies on; empty if the kernel does not say."""
    try:
        lines = mounts.read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    found, kind = Path(), ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(before.split(" ")[4].encode("latin-1", "replace").decode("unicode_escape"))
        if folder.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, after.split(" ")[0]
    return kind
