"""What opening a catalog refuses, and what a failing database looks like."""

import threading
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import update

from support.postgresql import PostgresqlServer
from support.records import archive_record, item_record
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.tables import REVISION, metadata, schema
from xmirad.errors import BackendUnavailableError

Open = Callable[..., Catalog]


def cause(catalog: Catalog) -> str:
    """Return why a catalog cannot be read."""
    with pytest.raises(BackendUnavailableError) as caught:
        catalog.archives()
    assert caught.value.metadata["backend"] == "catalog"
    assert caught.value.retry_delay_seconds is not None
    return caught.value.metadata["cause"]


def test_only_the_owner_makes_a_missing_catalog(open_catalog: Open) -> None:
    assert cause(open_catalog(create=False)) == "MISSING"
    assert open_catalog().database.is_missing()
    assert open_catalog().archives() == []
    assert not open_catalog(create=False).database.is_missing()
    assert open_catalog(create=False).archives() == []


def test_a_catalog_is_opened_by_many_at_once_while_it_is_made(open_catalog: Open) -> None:
    catalogs, found = [open_catalog() for _ in range(8)], []

    def read(catalog: Catalog) -> None:
        found.append(catalog.archives())

    threads = [threading.Thread(target=read, args=[catalog]) for catalog in catalogs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[]] * 8


@pytest.mark.parametrize("revision", [REVISION - 1, REVISION + 1, 99])
def test_a_catalog_of_another_revision_is_refused_and_left_alone(
    catalog: Catalog, open_catalog: Open, revision: int
) -> None:
    catalog.database.write(lambda connection: connection.execute(update(schema).values(revision=revision)))
    for create in (False, True):
        assert cause(open_catalog(create=create)) == "OTHER_REVISION"


def test_a_database_of_another_program_is_refused_and_left_alone(
    url: str, catalog: Catalog, open_catalog: Open
) -> None:
    catalog.database.write(metadata.drop_all)
    catalog.database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE photos (name TEXT)"))
    for create in (False, True):
        assert cause(open_catalog(create=create)) == "NOT_A_CATALOG"


def test_nothing_is_written_if_the_work_fails(catalog: Catalog) -> None:
    record = catalog.create_archive(archive_record())

    def work(connection: object) -> None:
        from xmirad.catalog import items

        items.put_item(connection, item_record())  # type: ignore[arg-type]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        catalog.database.write(work)
    assert not catalog.has_items(record)
    assert catalog.put_item(item_record())


def test_a_catalog_that_was_made_before_a_fork_is_not_used_after_it(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1)
    with pytest.raises(RuntimeError, match="before a fork"):
        catalog.archives()


def test_connections_that_postgresql_has_ended_are_made_again(postgresql: PostgresqlServer) -> None:
    catalog = Catalog(Database(postgresql.new_database(), create=True))
    record = catalog.create_archive(archive_record())
    postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 't%'")
    assert catalog.archives() == [record]
    assert catalog.put_item(item_record())
    catalog.database.close()


@pytest.mark.parametrize(
    ("database", "user", "expected"),
    [("missing", "postgres", "NO_DATABASE"), ("postgres", "nobody_here", "CREDENTIALS_REFUSED")],
)
def test_what_keeps_postgresql_from_being_used_is_told(
    postgresql: PostgresqlServer, database: str, user: str, expected: str
) -> None:
    assert cause(Catalog(Database(postgresql.url(database, user)))) == expected


def test_a_postgresql_that_does_not_answer_is_told_without_its_password() -> None:
    database = Database("postgresql://user@127.0.0.1:1/xmirad", password="hunter2")
    assert cause(Catalog(database)) == "UNREACHABLE"
    assert "hunter2" not in database.description


def test_a_row_that_another_transaction_keeps_locked_is_told(
    postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmirad.catalog.database.SESSION", "-c lock_timeout=200")
    url = postgresql.new_database()
    catalog = Catalog(Database(url, create=True))
    catalog.create_archive(archive_record())
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE archive_gates")
        with pytest.raises(BackendUnavailableError) as caught:
            catalog.put_item(item_record())
    assert caught.value.metadata["cause"] == "LOCKED"
    assert catalog.put_item(item_record())
    catalog.database.close()


def test_a_deadlock_is_tried_again(postgresql: PostgresqlServer) -> None:
    catalog = Catalog(Database(postgresql.new_database(), create=True))
    attempts = []

    def work(connection: object) -> int:
        attempts.append(1)
        if len(attempts) < 3:
            connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")  # type: ignore[attr-defined]
        return len(attempts)

    assert catalog.database.write(work) == 3
    catalog.database.close()
