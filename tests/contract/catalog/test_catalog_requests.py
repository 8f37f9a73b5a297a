"""Requests with an id take effect once, whatever ends the process between two statements."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update

from support.plans import assert_no_scan
from support.records import archive_record, item_record
from xmirad.catalog import requests
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.requests import KEPT_MS, PAGE, RequestKey, RequestState
from xmirad.catalog.tables import requests as rows
from xmirad.errors import ArchiveNotFoundError

Open = Callable[..., Catalog]
KEY = RequestKey("local", "viewer", "DeleteArchiveRequest", "some-id")


@pytest.fixture
def database(catalog: Catalog) -> Database:
    return catalog.database


def begin(database: Database, key: RequestKey = KEY, digest: str = "d", *, deletes: bool = False) -> RequestState:
    return database.write(lambda connection: requests.begin(connection, key, digest, deletes=deletes))


def complete(database: Database, key: RequestKey, result: bytes) -> None:
    database.write(lambda connection: requests.complete(connection, key, result))


def pass_time(database: Database, milliseconds: int) -> None:
    earlier = update(rows).values(create_ms=rows.c.create_ms - milliseconds)
    database.write(lambda connection: connection.execute(earlier))


def test_a_request_is_begun_once_and_its_replay_gets_its_result(database: Database) -> None:
    assert begin(database) == RequestState(KEY, "d")
    assert begin(database, digest="other") == RequestState(KEY, "d", is_repeated=True)
    complete(database, KEY, b"result")
    assert begin(database) == RequestState(KEY, "d", is_repeated=True, is_done=True, result=b"result")


@pytest.mark.parametrize("field", ["site", "caller", "method", "request"])
def test_an_id_counts_for_one_caller_and_one_method(database: Database, field: str) -> None:
    begin(database)
    values = {name: getattr(KEY, name) for name in KEY.__slots__} | {field: "other"}
    assert not begin(database, RequestKey(**values)).is_repeated


def test_a_request_that_had_no_effect_is_forgotten_but_not_one_that_had(database: Database) -> None:
    begin(database)
    database.write(lambda connection: requests.forget(connection, KEY))
    assert not begin(database).is_repeated
    complete(database, KEY, b"")
    database.write(lambda connection: requests.forget(connection, KEY))
    assert begin(database).is_done


def test_of_two_who_begin_a_request_at_once_one_is_told_that_it_is_repeated(
    database: Database, open_catalog: Open
) -> None:
    databases, found = [open_catalog().database for _ in range(4)], []
    threads = [threading.Thread(target=lambda each=each: found.append(begin(each))) for each in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(state.is_repeated for state in found) == [False, True, True, True]


def test_the_deletion_of_an_archive_and_its_request_are_one_transaction(catalog: Catalog) -> None:
    chest = archive_record()
    catalog.create_archive(chest)
    state = begin(catalog.database, deletes=True)
    with requests.under_way(state):
        catalog.delete_archive(chest)

    # The process ends here, and somebody makes the archive again before the request is sent again.
    assert begin(catalog.database, deletes=True).result == b""

    other = RequestKey("local", "viewer", "DeleteArchiveRequest", "other")
    with requests.under_way(begin(catalog.database, other, deletes=True)), pytest.raises(ArchiveNotFoundError):
        catalog.delete_archive(chest)
    assert not begin(catalog.database, other).is_done


def test_the_deletion_of_an_item_and_its_request_are_one_transaction(catalog: Catalog) -> None:
    chest, item = archive_record(), item_record()
    catalog.create_archive(chest)
    catalog.put_item(item)
    state = begin(catalog.database, deletes=True)
    with requests.under_way(state):
        catalog.add_tombstones(chest, [item.item])
    assert begin(catalog.database).is_done


def test_one_tombstone_does_not_complete_a_request_for_many(catalog: Catalog) -> None:
    chest, item = archive_record(), item_record()
    catalog.create_archive(chest)
    with requests.under_way(begin(catalog.database)):
        catalog.add_tombstones(chest, [item.item])
    assert not begin(catalog.database).is_done


def test_after_a_day_an_id_may_be_used_again_and_rows_are_deleted(database: Database) -> None:
    begin(database)
    complete(database, KEY, b"result")
    pass_time(database, KEPT_MS + 1_000)
    assert begin(database, digest="other") == RequestState(KEY, "other")

    many = [RequestKey("local", "", "CreateItemRequest", str(number)) for number in range(PAGE + 1)]
    database.write(lambda connection: [requests.begin(connection, key, "d") for key in many])
    pass_time(database, KEPT_MS + 1_000)
    begin(database, digest="new")
    deleted = [database.write(requests.delete_expired) for _ in range(3)]
    assert deleted == [PAGE, 1, 0]
    assert database.read(lambda connection: connection.execute(select(func.count()).select_from(rows)).scalar()) == 1


def test_no_statement_of_requests_reads_a_whole_table(database: Database) -> None:
    assert_no_scan(database, lambda: (begin(database), begin(database)))
    assert_no_scan(database, lambda: complete(database, KEY, b""))
    assert_no_scan(database, lambda: database.write(lambda connection: requests.forget(connection, KEY)))
    pass_time(database, KEPT_MS + 1_000)
    assert_no_scan(database, lambda: database.write(requests.delete_expired))
