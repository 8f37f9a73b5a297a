"""The catalog's database: a SQLite file or a PostgreSQL server, behind the same statements.

It is opened with the first statement, in the process that uses it: connections must not be inherited by a fork. Whoever
opens it checks the schema's revision and refuses any other one; only the owner of the data creates what is missing.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, make_url, select
from sqlalchemy.engine import URL, ExecutionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from xmirad.catalog import explanation_tables, item_counts  # noqa: F401 - their tables are made too
from xmirad.catalog.sqlite import Writer, check_file_system, create_file, locked, sqlite_engine, use_write_ahead_log
from xmirad.catalog.tables import REVISION, metadata, schema
from xmirad.errors import BackendUnavailableError, InvalidRequestError

T = TypeVar("T")
OLDEST_POSTGRESQL = (15,)
SCHEMA_LOCK = 0x584D4952
"""Advisory lock of whoever creates the schema on PostgreSQL."""
CONNECT_SECONDS = 5
SESSION = "-c lock_timeout=10000 -c statement_timeout=30000"
ATTEMPTS = 3
AGAIN = ("40001", "40P01")
"""Serialization failure and deadlock: the transaction is rolled back, and goes through when it is repeated."""
CAUSES = {
    "SQLITE_FULL": ("DISK_FULL", "the disk of the catalog is full"),
    "SQLITE_READONLY": ("READ_ONLY", "the catalog cannot be written: its file or file system is read-only"),
    "SQLITE_CANTOPEN": ("NOT_READABLE", "the catalog's file cannot be opened"),
    "SQLITE_PERM": ("NOT_READABLE", "the catalog's file cannot be opened"),
    "SQLITE_IOERR": ("INPUT_OUTPUT", "the disk of the catalog fails"),
    "SQLITE_CORRUPT": ("DAMAGED", "the catalog is damaged: put it back from your backup"),
    "SQLITE_NOTADB": ("NOT_A_CATALOG", "the catalog's file is not a database: put it back from your backup"),
    "53100": ("DISK_FULL", "the disk of the PostgreSQL server is full"),
    "53300": ("TOO_MANY_CONNECTIONS", "the PostgreSQL server takes no more connections"),
    "55P03": ("LOCKED", "another transaction has kept a row of the catalog locked for too long"),
    "57014": ("SLOW", "the PostgreSQL server took too long"),
    "25006": ("READ_ONLY", "the PostgreSQL server is read-only"),
    "28P01": ("CREDENTIALS_REFUSED", "the PostgreSQL server refuses the password"),
    "28000": ("CREDENTIALS_REFUSED", "the PostgreSQL server refuses the user"),
    "42501": ("CREDENTIALS_REFUSED", "the PostgreSQL user lacks a privilege"),
    "3D000": ("NO_DATABASE", "the PostgreSQL server does not hold the database of catalog.url"),
}
FILE_ERRORS = {
    errno.ENOSPC: "SQLITE_FULL",
    errno.EDQUOT: "SQLITE_FULL",
    errno.EROFS: "SQLITE_READONLY",
    errno.EIO: "SQLITE_IOERR",
}


class Database:
    """Runs work in transactions. Safe to use from many threads, in the process that made it."""

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        create: bool = False,
        after_statement: Callable[[], None] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            url: `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`.
            password: Of the PostgreSQL server, if the URL holds none.
            create: Whether to make the database's file and tables if they are missing.
            after_statement: For crash tests: called after each statement that changes rows, and each commit of SQLite.

        Raises:
            InvalidRequestError: If the URL is of neither form.
        """
        self._url = _checked(url)
        if password is not None:
            self._url = self._url.set(password=password)
        self._create = create
        self._after_statement = after_statement
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._process = os.getpid()
        self._path = Path(self._url.database or "") if self._url.drivername == "sqlite" else None
        self._file: tuple[int, int] | None = None
        lock = self._path.with_name(f"{self._path.name}.lock") if self._path else None
        self._writer = Writer(lock) if lock else None

    @property
    def description(self) -> str:
        """What it is and where, without credentials."""
        return f"SQLite in {self._path}" if self._path else f"PostgreSQL at {self._url.host}:{self._url.port or 5432}"

    def is_missing(self) -> bool:
        """Return whether there is no catalog yet.

        Raises:
            BackendUnavailableError: If the database cannot be asked.
        """
        if self._engine is not None:
            return False
        with _translated():
            if self._path is not None and not self._path.exists():
                return True
        engine = self._make_engine()
        try:
            with _translated(), engine.connect() as connection:
                return not inspect(connection).get_table_names()
        finally:
            engine.dispose()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` reads, statement by statement.

        Raises:
            BackendUnavailableError: If the database cannot be used; `metadata["cause"]` says why.
        """
        with _translated(), self._opened().connect() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns once all that it wrote is committed and outlives a loss of power.

        On PostgreSQL it is run again after a deadlock.

        Raises:
            BackendUnavailableError: If the database cannot be used; nothing is written.
        """
        with _translated():
            engine = self._opened()
            return self._run(engine, work)

    def compact(self) -> None:
        """Overwrite the write-ahead log, in which deleted rows could still be read. SQLite only."""
        if self._writer is not None:
            with _translated(), self._writer.held(), self._opened().connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def problems(self) -> list[str]:
        """Return what SQLite's own check of the file finds; nothing for PostgreSQL, which checks its pages itself."""
        if self._path is None:
            return []
        try:
            found = self.read(lambda connection: connection.exec_driver_sql("PRAGMA quick_check(20)").scalars().all())
        except BackendUnavailableError as error:
            if error.metadata.get("cause") != "DAMAGED":
                raise
            return [error.message]
        return [str(line) for line in found if line != "ok"]

    def close(self) -> None:
        """Close every connection; the next statement opens new ones."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _opened(self) -> Engine:
        if os.getpid() != self._process:
            raise RuntimeError("the catalog was made before a fork: make it in the process that uses it")
        with self._opening:
            if self._engine is None:
                self._engine = self._open()
            if self._path is not None and _identity(self._path) != self._file:
                message = f"{self._path} was removed or replaced while it was in use: put it back and restart"
                raise _unavailable("REPLACED", message)
            return self._engine

    def _open(self) -> Engine:
        if self._path is not None:
            self._prepare_file(self._path)
        engine = self._make_engine()
        try:
            with _translated():
                if self._create:
                    self._create_tables(engine)
                with engine.connect() as connection:
                    _check_revision(connection)
                    if self._path is not None:
                        use_write_ahead_log(connection)
                if self._after_statement is not None:
                    _call_after_changes(engine, self._after_statement)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _prepare_file(self, path: Path) -> None:
        check_file_system(path.parent)
        if not path.exists():
            if not self._create:
                message = f"there is no catalog at {path}: start the retrieval service once, or correct catalog.url"
                raise _unavailable("MISSING", message)
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                create_file(path)
            except OSError as error:
                raise _unavailable("NOT_WRITABLE", f"{path} cannot be made: {error.strerror}") from error
        self._file = _identity(path)

    def _make_engine(self) -> Engine:
        if self._path is not None:
            return sqlite_engine(self._path)
        import psycopg  # takes a tenth of a second, also where there is only SQLite

        return create_engine(
            self._url,
            module=psycopg,
            pool_pre_ping=True,  # the server may have been restarted
            pool_size=8,
            connect_args={"connect_timeout": CONNECT_SECONDS, "options": SESSION},
        )

    def _create_tables(self, engine: Engine) -> None:
        """Make the tables in one transaction, unless any is there."""

        def create(connection: Connection) -> None:
            if self._writer is None:
                connection.execute(select(func.pg_advisory_xact_lock(SCHEMA_LOCK)))
            if not inspect(connection).get_table_names():
                metadata.create_all(connection)
                connection.execute(insert(schema).values(revision=REVISION))

        self._run(engine, create)

    def _run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        if self._writer is None:
            return _write_postgresql(engine, work)
        result: T = self._writer.run(engine, work)
        return result


def _checked(url: str) -> URL:
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port
        found = None
    if found is not None and found.drivername == "sqlite" and found.database and Path(found.database).is_absolute():
        return found
    if found is not None and found.drivername == "postgresql" and found.database and "@" not in (found.host or ""):
        return found.set(drivername="postgresql+psycopg")
    # The URL itself is not repeated: it may hold a password.
    message = (
        "catalog.url must be sqlite:////ABSOLUTE/FILE or postgresql://USER@HOST/DATABASE; "
        "@ : / ? # % in a password are written %40 %3A %2F %3F %23 %25, or the password is put into "
        "catalog.password_file"
    )
    raise InvalidRequestError(message, field="catalog.url")


def _call_after_changes(engine: Engine, call: Callable[[], None]) -> None:
    @event.listens_for(engine, "after_cursor_execute")
    def look(_: Connection, __: object, statement: str, ___: object, context: ExecutionContext, ____: bool) -> None:
        kinds = ("isinsert", "isupdate", "isdelete")
        if statement == "COMMIT" or any(getattr(context, kind) for kind in kinds):
            call()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _write_postgresql(engine: Engine, work: Callable[[Connection], T]) -> T:
    for left in reversed(range(ATTEMPTS)):
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if not left or _state(error) not in AGAIN:
                raise
    raise AssertionError("the last attempt returns or raises")


def _check_revision(connection: Connection) -> None:
    dialect = connection.dialect
    if dialect.name == "postgresql" and (dialect.server_version_info or ()) < OLDEST_POSTGRESQL:
        version = ".".join(map(str, dialect.server_version_info or ()))
        raise _unavailable("POSTGRESQL_TOO_OLD", f"PostgreSQL {version} is too old for the catalog: 15 or later")
    tables = inspect(connection).get_table_names()
    if not tables:
        raise _unavailable("MISSING", "there is no catalog yet: start the retrieval service once")
    if schema.name not in tables:
        raise _unavailable("NOT_A_CATALOG", "the database of catalog.url belongs to another program")
    found = connection.execute(select(schema.c.revision)).scalars().all()
    if found != [REVISION]:
        shown = ", ".join(map(str, found)) or "none"
        message = f"the catalog has revision {shown}, this version works with {REVISION}: install the version it is of"
        raise _unavailable("OTHER_REVISION", message)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what the database says as a domain error, without its statement and parameters: they may name a patient."""
    try:
        yield
    except PoolTimeoutError:
        raise _unavailable("BUSY", "too many threads wait for the catalog") from None
    except DBAPIError as error:
        raise _domain_error(error) from None
    except OSError as error:  # of the file, of the one that writers lock, or of their folder
        raise _unavailable(*CAUSES[FILE_ERRORS.get(error.errno or 0, "SQLITE_CANTOPEN")]) from None
    except SQLAlchemyError as error:
        raise _unavailable("UNKNOWN", f"the catalog cannot be used ({type(error).__name__})") from None


def _domain_error(error: DBAPIError) -> BackendUnavailableError:
    state = _state(error)
    if state.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return locked()
    for prefix, (cause, message) in CAUSES.items():
        if state.startswith(prefix):
            return _unavailable(cause, message)
    if type(error.orig).__module__.startswith("psycopg") and (not state or state.startswith(("08", "57P"))):
        return _no_connection(str(error.orig))
    return _unavailable("UNKNOWN", f"the catalog's database fails ({state})")


def _no_connection(answer: str) -> BackendUnavailableError:
    """Say why there is no connection; without one the server's answer has no SQLSTATE."""
    if any(words in answer for words in ("authentication failed", "no password supplied", "role ")):
        return _unavailable(*CAUSES["28P01"])
    if "database" in answer and "does not exist" in answer:
        return _unavailable(*CAUSES["3D000"])
    return _unavailable("UNREACHABLE", "the PostgreSQL server does not answer")


def _state(error: DBAPIError) -> str:
    """Return SQLite's name of an error, or PostgreSQL's SQLSTATE; empty if there was no answer."""
    return str(getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None) or "")


def _unavailable(cause: str, message: str) -> BackendUnavailableError:
    return BackendUnavailableError(message, metadata={"backend": "catalog", "cause": cause}, retry_delay_seconds=5.0)
