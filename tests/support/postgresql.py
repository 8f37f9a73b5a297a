"""A PostgreSQL server for tests, from Debian's package `postgresql`: its own folder, its own socket, no durability."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

INSTALLED = Path("/usr/lib/postgresql")
START_SECONDS = 20.0
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")


class PostgresqlServer:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"t{uuid4().hex}"
        self.run(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def run(self, statement: str) -> None:
        """Run a statement in the database `postgres`."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Run a server; the test is skipped where none is installed."""
    programs = max(INSTALLED.glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
    if programs is None or int(programs.parent.name) < 15:
        pytest.skip("no PostgreSQL 15 or later below /usr/lib/postgresql: install Debian's package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    prefix = _as_another_user(folder)
    data = folder / "data"
    try:
        make = [*prefix, f"{programs}/initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", "--no-sync"]
        subprocess.run([*make, "--encoding=UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, cwd=folder)
        settings = [option for setting in FAST for option in ("-c", setting)]
        command = [
            *prefix,
            f"{programs}/postgres",
            "-D",
            str(data),
            "-k",
            str(folder),
            "-c",
            "listen_addresses=",
            *settings,
        ]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as running,
        ):
            try:
                server = PostgresqlServer(folder)
                _wait_until_ready(server, running)
                yield server
            finally:
                running.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_another_user(folder: Path) -> Sequence[str]:
    """Return what runs a program as `postgres`, and give that user a folder: the server refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"


def _wait_until_ready(server: PostgresqlServer, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            assert running.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
        else:
            return
