"""Worker processes, each with a random id and heartbeats, and how many of them were lost at the same work.

A process is lost if its heartbeats stop, or if a process of the same parent sees that it has ended. Neither host name
nor process id say anything beyond that: containers share host names, and process ids are given again.
"""

import logging
import os
import threading
from contextlib import suppress
from uuid import uuid4

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog.clock import clock_id, now_ms
from xmirad.catalog.database import Database
from xmirad.catalog.tables import lost_workers, workers
from xmirad.errors import BackendUnavailableError

HEARTBEAT_SECONDS = 3.0
SILENT_SECONDS = 15.0
GRACE_SECONDS = 6.0
"""How long a process that was found silent may still be heard: after the catalog was away, all of them are silent."""
KEPT_SECONDS = 3_600.0
_log = logging.getLogger(__name__)


class WorkerProcess:
    """This process among the workers: it gives heartbeats, and says what it works on. One task at a time.

    `beat`, `begin` and `clear` raise `BackendUnavailableError` if the database cannot be used; nobody is lost then.
    """

    def __init__(self, database: Database, *, parent: str) -> None:
        """Be a worker with a random id.

        Args:
            database: Of this process, not of the one that it was forked from.
            parent: Random id that all processes forked from the same one share.
        """
        self.id = uuid4().hex
        self._database = database
        self._parent = parent
        self._work: str | None = None
        self._is_heard = True

    def start(self) -> None:
        """Give heartbeats from a thread until the process ends."""
        threading.Thread(target=self._beat_for_ever, name="worker-heartbeat", daemon=True).start()

    def beat(self) -> None:
        """Give a sign of life."""
        self._database.write(lambda connection: put_heartbeat(connection, self.id, self._parent, self._work))

    def begin(self, work: str) -> int:
        """Say that this process begins to work on something, and return how many were lost at it before."""

        def begin(connection: Connection) -> int:
            put_heartbeat(connection, self.id, self._parent, work)
            set_work(connection, self.id, work)
            return count_lost(connection, self.id, self._parent, work)

        self._work = work
        return self._database.write(begin)

    def end(self) -> None:
        """Say that this process has ended its work, whichever way; if that fails, it is said with the next."""
        self._work = None
        with suppress(BackendUnavailableError):
            self._database.write(lambda connection: set_work(connection, self.id, None))

    def clear(self, work: str) -> bool:
        """Forget who was lost at a work, because it got on or is given up; return whether there was anyone."""
        forget = delete(lost_workers).where(lost_workers.c.work == work)
        return self._database.write(lambda connection: connection.execute(forget).rowcount > 0)

    def _beat_for_ever(self) -> None:
        pause, is_first = threading.Event(), True
        while True:
            try:
                if is_first:
                    self._database.write(lambda connection: forget_ended(connection, self.id, self._parent))
                self.beat()
                self._is_heard, is_first = True, False
            except BackendUnavailableError as error:
                if self._is_heard:
                    _log.warning("worker.not_heard", extra={"cause": error.metadata.get("cause", "")})
                self._is_heard = False
            pause.wait(HEARTBEAT_SECONDS)


def put_heartbeat(connection: Connection, worker: str, parent: str, work: str | None) -> None:
    """Note that a worker lives; what it works on is noted only if it is not known yet."""
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    heartbeat = {"clock": clock_id(connection), "heartbeat_ms": now_ms(connection), "silent_ms": None}
    new = engine.insert(workers).values(worker=worker, parent=parent, pid=os.getpid(), work=work, **heartbeat)
    connection.execute(new.on_conflict_do_update(index_elements=["worker"], set_=heartbeat))


def set_work(connection: Connection, worker: str, work: str | None) -> None:
    """Note what a worker works on."""
    connection.execute(update(workers).where(workers.c.worker == worker).values(work=work))


def count_lost(connection: Connection, worker: str, parent: str, work: str) -> int:
    """Count the workers that were lost at a work since it last got on, each once, and return how many."""
    now, clock = now_ms(connection), clock_id(connection)
    others = and_(workers.c.work == work, workers.c.worker != worker, workers.c.clock == clock)
    silent = others & (workers.c.heartbeat_ms < now - round(SILENT_SECONDS * 1_000)) & workers.c.silent_ms.is_(None)
    connection.execute(update(workers).where(silent).values(silent_ms=now))
    siblings = select(workers.c.worker, workers.c.pid).where(others, workers.c.parent == parent)
    ended = [sibling.worker for sibling in connection.execute(siblings).all() if not _is_alive(sibling.pid)]
    is_lost = (workers.c.silent_ms < now - round(GRACE_SECONDS * 1_000)) | workers.c.worker.in_(ended)
    lost = len(connection.execute(delete(workers).where(others, is_lost).returning(workers.c.worker)).all())
    if lost:
        _add_lost(connection, work, lost)
    return connection.execute(select(lost_workers.c.count).where(lost_workers.c.work == work)).scalar_one_or_none() or 0


def forget_ended(connection: Connection, worker: str, parent: str) -> None:
    """Delete what is of long ago or of an earlier start of the machine; who had this process id before has ended."""
    now, clock = now_ms(connection), clock_id(connection)
    before = and_(workers.c.parent == parent, workers.c.pid == os.getpid(), workers.c.worker != worker)
    connection.execute(update(workers).where(before).values(silent_ms=0))
    for table, last in ((workers, workers.c.heartbeat_ms), (lost_workers, lost_workers.c.last_ms)):
        is_old = (table.c.clock == clock) & (last < now - round(KEPT_SECONDS * 1_000))
        for where in (is_old, table.c.clock < clock, table.c.clock > clock):
            connection.execute(delete(table).where(where))


def _add_lost(connection: Connection, work: str, lost: int) -> None:
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    last = {"clock": clock_id(connection), "last_ms": now_ms(connection)}
    new = engine.insert(lost_workers).values(work=work, count=lost, **last)
    changes = {"count": lost_workers.c.count + lost, **last}
    connection.execute(new.on_conflict_do_update(index_elements=["work"], set_=changes))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return True
