"""Explanations, queries and cache entries in the catalog: who waits for whom, and what a deletion takes along."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, select

from support.plans import assert_no_scan
from support.records import archive_record, item_record
from xmirad.catalog import explanations as rows
from xmirad.catalog import occlusion, purges, requests
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.explanation_tables import cache_chunks, cache_entries, explanation_items, explanations, queries
from xmirad.catalog.explanations import NewAttempt
from xmirad.catalog.occlusion import NewEntry
from xmirad.catalog.requests import RequestKey
from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError, ItemNotFoundError

CHEST = archive_record()
ITEMS = [item_record(number) for number in range(3)]
QUERY = "9" * 64
NOW, DAY = 1_000.0, 86_400.0
SIZE = 500
Open = Callable[..., Catalog]


def entry(number: int = 0, *, is_query: bool = False) -> NewEntry:
    image = QUERY if is_query else ITEMS[number].image
    return NewEntry(f"{'queries' if is_query else 'occlusion'}/{image}/key/", image, is_query, "{}")


def attempt(name: str = "a", number: int = 1, *, query: str | None = None, items: Sequence[int] = (0, 1)) -> NewAttempt:
    return NewAttempt(
        explanation=name * 64,
        attempt=number,
        site="local",
        archive="chest",
        query=query,
        items=[ITEMS[each].item for each in items],
        queue="interactive",
        request="{}",
    )


@pytest.fixture
def database(catalog: Catalog) -> Database:
    catalog.create_archive(CHEST)
    for record in ITEMS:
        catalog.put_item(record)
    catalog.database.write(lambda connection: rows.put_query(connection, QUERY, now=NOW))
    return catalog.database


def put(database: Database, new: NewAttempt, *entries: NewEntry) -> bool:
    return database.write(partial(rows.put_attempt, new=new, entries=entries, now=NOW))


def wanted(database: Database, *entries: NewEntry) -> list[bool]:
    return [database.read(partial(occlusion.is_wanted, location=each.location)) for each in entries]


def chunk(database: Database, which: NewEntry, number: int) -> bool | None:
    return database.write(partial(occlusion.add_chunk, location=which.location, chunk=number, size_bytes=SIZE))


def sums(database: Database) -> tuple[int, int]:
    return database.read(occlusion.sums)


def delete(database: Database, *names: str) -> int:
    ids = [name * 64 for name in names]
    return database.write(partial(rows.delete_explanations, ids=ids, now=NOW))


def purge(database: Database, *, now: float) -> list[str]:
    """Purge what is deleted, as if there were no blobs; return of what."""
    found = []
    for owner in purges.OWNERS:
        database.write(partial(purges.open_again, owner=owner, now=now))
        if keys := database.read(partial(purges.unpurged, owner=owner)):
            database.write(partial(purges.purged, owner=owner, found=keys, now=now))
            found += keys
    return found


def test_the_deletion_of_an_explanation_and_its_request_are_one_transaction(database: Database) -> None:
    put(database, attempt("a"))
    key = RequestKey("local", "viewer", "DeleteExplanationRequest", "some-id")
    begin = partial(requests.begin, key=key, digest="d", deletes=True)
    with requests.under_way(database.write(begin)):
        assert not database.write(partial(rows.delete_explanation, explanation="b" * 64, now=NOW))
        assert not database.write(begin).is_done
        assert delete(database, "b") == 0
        assert database.write(partial(rows.delete_explanation, explanation="a" * 64, now=NOW))
    assert database.write(begin).is_done


def test_the_first_of_an_attempt_counts_and_waits_for_its_entries(database: Database) -> None:
    assert put(database, attempt(), entry(0), entry(1))
    assert not put(database, attempt(), entry(0), entry(1))
    assert wanted(database, entry(0), entry(1), entry(2)) == [True, True, False]
    end = partial(rows.finish, explanation="a" * 64, now=NOW, result="{}")
    assert database.write(partial(end, attempt=1, state="failed"))
    assert not database.write(partial(end, attempt=1, state="cancelled"))
    assert wanted(database, entry(0), entry(1)) == [False, False]
    assert put(database, attempt(number=2), entry(0))
    assert not database.write(partial(end, attempt=1, state="failed"))
    found = database.read(partial(rows.find_explanation, explanation="a" * 64))
    assert found is not None
    assert (found.attempt, found.state) == (2, None)


def test_nothing_is_explained_of_what_is_deleted(catalog: Catalog, database: Database) -> None:
    catalog.add_tombstones(CHEST, [ITEMS[0].item])
    with pytest.raises(ItemNotFoundError):
        put(database, attempt())
    with pytest.raises(ItemNotFoundError):
        database.write(partial(occlusion.open_entry, entry=entry(0), now=NOW))
    catalog.delete_archive(CHEST)
    with pytest.raises(ItemNotFoundError):
        put(database, attempt(items=[1]))
    assert database.read(partial(rows.find_explanation, explanation="a" * 64)) is None


def test_an_archive_whose_gate_is_closed_gets_no_explanation(catalog: Catalog, database: Database) -> None:
    catalog.close_archive(CHEST.creation)
    with pytest.raises(ArchiveNotFoundError):
        put(database, attempt())


def test_a_query_goes_with_its_last_explanation_and_all_that_is_cached_of_it(database: Database) -> None:
    cached = entry(is_query=True)
    assert put(database, attempt("a", query=QUERY), cached)
    assert put(database, attempt("b", query=QUERY, items=[1]), cached)
    assert chunk(database, cached, 0)
    assert sums(database) == (0, 0)  # queries have no part in the budget
    assert delete(database, "a") == 1
    assert wanted(database, cached) == [True]
    assert delete(database, "a", "b") == 1
    assert chunk(database, cached, 1) is None
    with pytest.raises(BackendUnavailableError):
        put(database, attempt("c", query=QUERY))
    assert purge(database, now=NOW) == ["a" * 64, "b" * 64, QUERY, cached.location]


def test_what_is_being_deleted_comes_back_only_when_it_is_purged(database: Database) -> None:
    put(database, attempt(query=QUERY), entry(0))
    chunk(database, entry(0), 0)
    delete(database, "a")
    database.write(partial(occlusion.delete_entries_of_images, images=[ITEMS[0].image], now=NOW))
    for write in (
        partial(rows.put_query, digest=QUERY, now=NOW),
        partial(occlusion.open_entry, entry=entry(0), now=NOW),
        partial(rows.put_attempt, new=attempt(items=[1]), entries=[], now=NOW),
    ):
        with pytest.raises(BackendUnavailableError):
            database.write(write)
    purge(database, now=NOW)
    database.write(partial(rows.put_query, digest=QUERY, now=NOW))
    assert put(database, attempt(query=QUERY), entry(0))
    found = database.read(partial(occlusion.find_entry, location=entry(0).location))
    assert found is not None
    assert found.chunks == frozenset()
    assert chunk(database, entry(0), 0)


def test_rows_go_a_day_after_they_were_deleted_and_only_then(database: Database) -> None:
    put(database, attempt(query=QUERY), entry(0), entry(is_query=True))
    delete(database, "a")
    everything = ["a" * 64, QUERY, entry(is_query=True).location]
    assert purge(database, now=NOW) == everything
    assert purge(database, now=NOW + DAY - 1) == []
    assert purge(database, now=NOW + DAY) == everything
    assert purge(database, now=NOW + 9 * DAY) == []
    for table in (explanations, queries, explanation_items):
        assert not database.read(lambda connection, table=table: connection.execute(select(table)).all())  # type: ignore[misc]


def test_chunks_count_once_and_a_damaged_one_is_taken_back(database: Database) -> None:
    put(database, attempt(), entry(0))
    assert [chunk(database, entry(0), number) for number in (0, 1, 0, 2)] == [True, True, False, True]
    assert sums(database) == (SIZE, 1)
    whole = partial(occlusion.make_whole, location=entry(0).location)
    for _ in range(2):
        database.write(partial(occlusion.drop_chunk, location=entry(0).location, chunk=1))
    assert not database.write(partial(whole, chunks=3))
    assert chunk(database, entry(0), 1)
    assert database.write(partial(whole, chunks=3))
    assert database.write(partial(whole, chunks=3))  # another process, which has read the chunks before
    assert not database.read(lambda connection: connection.execute(select(cache_chunks)).all())
    database.write(partial(occlusion.drop_whole, location=entry(0).location))
    found = database.read(partial(occlusion.find_entry, location=entry(0).location))
    assert found == occlusion.EntryRow(is_whole=False, chunks=frozenset())


def test_two_workers_that_store_the_last_chunks_at_once_both_count(open_catalog: Open, database: Database) -> None:
    put(database, attempt(), entry(0))
    others = [open_catalog(create=False).database for _ in range(4)]
    threads = [
        threading.Thread(target=lambda each=each, start=start: [chunk(each, entry(0), n) for n in range(start, 40, 2)])
        for start, each in enumerate(others)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = database.read(lambda connection: connection.execute(select(cache_entries.c.done)).scalar_one())
    found = database.read(partial(occlusion.find_entry, location=entry(0).location))
    assert found is not None
    assert row == len(found.chunks) == 40
    assert sums(database) == (SIZE, 1)


def test_an_entry_that_somebody_waits_for_is_not_evicted(database: Database) -> None:
    put(database, attempt(), entry(0), entry(1))
    chunk(database, entry(0), 0)
    chunk(database, entry(1), 0)
    evict = partial(occlusion.evict, location=entry(0).location, now=NOW)
    assert database.read(occlusion.least_recently_used) == []
    assert database.write(evict) == 0
    delete(database, "a")
    assert set(database.read(occlusion.least_recently_used)) == {entry(0).location, entry(1).location}
    assert database.write(evict) == SIZE
    assert sums(database) == (SIZE, 1)
    assert database.write(evict) == 0


def test_an_explanation_and_the_deletion_of_its_item_exclude_each_other(
    open_catalog: Open, catalog: Catalog, database: Database
) -> None:
    """Whichever comes first, no explanation is left of an item that is deleted and forgotten."""
    other = open_catalog(create=False).database
    for number in range(20):
        name, record = f"{number:x}"[0], ITEMS[0]
        revision = catalog.item_state(CHEST, record.item).revision + 1
        catalog.put_item(replace(record, revision=revision), restore=True)
        refused: list[Exception] = []

        new = attempt(name, number + 1, items=[0])

        def explain(new: NewAttempt = new, refused: list[Exception] = refused) -> None:
            try:
                put(other, new, entry(0))
            except (ItemNotFoundError, BackendUnavailableError) as error:
                refused.append(error)

        thread = threading.Thread(target=explain)
        thread.start()
        catalog.add_tombstones(CHEST, [record.item])
        found = database.read(partial(rows.explanations_of_items, creation=CHEST.creation, ids=[record.item]))
        database.write(partial(rows.delete_explanations, ids=found, now=NOW))
        database.write(partial(occlusion.delete_entries_of_images, images=[record.image], now=NOW))
        thread.join()
        assert database.read(partial(rows.explanations_of_items, creation=CHEST.creation, ids=[record.item])) == []
        assert wanted(database, entry(0)) == [False]
        purge(database, now=NOW)


MANY = 2_000


@pytest.fixture
def many(catalog: Catalog, database: Database) -> Database:
    """A catalog with many settled explanations, queries and cache entries."""
    names = [f"{number:064x}" for number in range(MANY)]
    settled = {
        "site": "local", "archive": "chest", "creation": CHEST.creation, "attempt": 1, "queue": "interactive",
        "create_time": NOW, "request": "{}", "state": "succeeded", "finish_time": NOW, "result": "{}",
        "preview_windows": 0, "fidelity": "{}", "is_purged": False,
    }  # fmt: skip
    cached = {
        "is_query": False, "document": "{}", "done": 5, "is_whole": True, "bytes": SIZE, "use_time": NOW,
        "is_purged": False,
    }  # fmt: skip

    def fill(connection: Any) -> None:  # noqa: ANN401
        connection.execute(insert(explanations), [settled | {"explanation": name, "query": name} for name in names])
        items = {"creation": CHEST.creation, "item": ITEMS[0].item}
        connection.execute(insert(explanation_items), [items | {"explanation": name} for name in names])
        kept = {"create_time": NOW, "is_explained": True, "is_purged": False}
        connection.execute(insert(queries), [kept | {"digest": name} for name in names])
        entries = [cached | {"location": f"occlusion/{name}/key/", "image": name} for name in names]
        connection.execute(insert(cache_entries), entries)

    catalog.database.write(fill)
    return catalog.database


ONE = f"{7:064x}"
STATEMENTS: dict[str, Callable[[Database], object]] = {
    "an explanation": lambda database: database.read(partial(rows.find_explanation, explanation=ONE)),
    "a page of a site": lambda database: database.read(
        partial(rows.page_of_explanations, site="local", archive="", after=ONE, limit=100)
    ),
    "a page of an archive": lambda database: database.read(
        partial(rows.page_of_explanations, site="local", archive="chest", after=ONE, limit=100)
    ),
    "unfinished": lambda database: database.read(partial(rows.page_of_unfinished, after=ONE)),
    "unassessed": lambda database: database.read(partial(rows.page_of_unassessed, after=ONE)),
    "expired": lambda database: database.read(partial(rows.finished_before, time=NOW)),
    "old queries": lambda database: database.read(partial(rows.old_queries, stored_before=NOW, abandoned_before=NOW)),
    "of items": lambda database: database.read(
        partial(rows.explanations_of_items, creation=CHEST.creation, ids=[ITEMS[1].item])
    ),
    "of an archive": lambda database: database.read(partial(rows.some_of_archive, creation=CHEST.creation)),
    "creating": lambda database: put(database, attempt(query=QUERY), entry(0)),
    "finishing": lambda database: database.write(
        partial(rows.finish, explanation=ONE, attempt=1, state="failed", now=NOW, result="{}")
    ),
    "deleting": lambda database: database.write(partial(rows.delete_explanations, ids=[ONE], now=NOW)),
    "deleting a query": lambda database: database.write(partial(rows.delete_query, digest=ONE, now=NOW)),
    "an entry": lambda database: database.read(partial(occlusion.find_entry, location=f"occlusion/{ONE}/key/")),
    "a chunk": lambda database: chunk(database, NewEntry(f"occlusion/{ONE}/key/", ONE, False), 7),
    "is wanted": lambda database: wanted(database, entry(0)),
    "least recently used": lambda database: database.read(occlusion.least_recently_used),
    "evicting": lambda database: database.write(partial(occlusion.evict, location=f"occlusion/{ONE}/key/", now=NOW)),
    "of images": lambda database: database.write(partial(occlusion.delete_entries_of_images, images=[ONE], now=NOW)),
    "warming": lambda database: database.read(partial(occlusion.page_of_warming, after=ONE)),
    "sums": sums,
    "purging": lambda database: purge(database, now=NOW + 9 * DAY),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_nothing_reads_a_whole_table(many: Database, name: str) -> None:
    assert_no_scan(many, lambda: STATEMENTS[name](many))
