"""The number of an archive's items, which is known without counting, whatever happens to items."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from support.plans import assert_no_scan
from support.records import archive_record, item_record
from xmirad.catalog import item_counts
from xmirad.catalog import items as item_rows
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.item_counts import item_changes
from xmirad.catalog.tables import items

CHEST = archive_record()
NUMBERS = st.integers(0, 3)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "restore", "delete", "forget", "fold"]), NUMBERS), max_size=15)
Open = Callable[..., Catalog]


@pytest.fixture
def chest(catalog: Catalog) -> Catalog:
    catalog.create_archive(CHEST)
    return catalog


def counted(catalog: Catalog) -> int:
    """Count the rows themselves."""
    live = items.c.creation == CHEST.creation, items.c.document.is_not(None), items.c.delete_time.is_(None)
    slow = select(func.count()).select_from(items).where(*live)
    return catalog.database.read(lambda connection: connection.execute(slow).scalar_one())


def pending(catalog: Catalog) -> int:
    return catalog.database.read(partial(item_counts.count_items, creation=CHEST.creation))[1]


def fold(catalog: Catalog) -> None:
    catalog.database.write(partial(item_counts.fold_changes, creation=CHEST.creation))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_number_is_that_of_the_rows_after_any_sequence_of_changes(
    chest: Catalog, steps: list[tuple[str, int]]
) -> None:
    for step, number in steps:
        record = item_record(number, revision=chest.item_state(CHEST, item_record(number).item).revision + 1)
        if step in ("put", "restore"):
            put = partial(item_rows.put_item, record=record, restore=step == "restore")
            chest.database.write(put)
        elif step == "delete":
            chest.add_tombstones(CHEST, [record.item])
        elif step == "forget":
            chest.forget_items(CHEST, [record.item])
        else:
            fold(chest)
        assert chest.count_items(CHEST) == counted(chest)


def test_what_is_not_committed_is_not_counted(chest: Catalog) -> None:
    def fail(connection: Connection) -> None:
        item_rows.put_item(connection, item_record())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        chest.database.write(fail)
    assert chest.count_items(CHEST) == 0


def test_writers_and_folders_at_the_same_time_lose_nothing(chest: Catalog, open_catalog: Open) -> None:
    def write(first: int) -> None:
        own = open_catalog()
        for number in range(first, first + 20):
            own.put_item(item_record(number))
            if number % 5 == 0:
                fold(own)

    threads = [threading.Thread(target=write, args=[100 * number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert chest.count_items(CHEST) == counted(chest) == 80
    fold(chest)
    assert chest.count_items(CHEST) == 80
    assert pending(chest) == 0


def test_many_changes_are_folded_by_whoever_reads_them(chest: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_counts, "MANY", 3)
    for number in range(3):
        chest.put_item(item_record(number))
    assert chest.count_items(CHEST) == 3
    assert pending(chest) == 0
    assert chest.count_items(CHEST) == 3


def test_the_number_goes_with_its_archive(chest: Catalog) -> None:
    chest.put_item(item_record())
    fold(chest)
    chest.delete_archive(CHEST)
    chest.forget_archive(CHEST.creation)
    for table in (item_changes, item_counts.item_counts):
        rows = select(func.count()).select_from(table)
        assert chest.database.read(lambda connection, rows=rows: connection.execute(rows).scalar_one()) == 0  # type: ignore[misc]


def test_no_statement_of_counts_reads_a_whole_table(chest: Catalog) -> None:
    chest.put_item(item_record())
    assert_no_scan(chest.database, lambda: chest.count_items(CHEST))
    assert_no_scan(chest.database, lambda: fold(chest))
