"""Imports in the catalog: one at a time in an archive, each image counted once, every look-up by an index."""

from collections.abc import Callable
from functools import partial

import pytest

from support.plans import assert_no_scan
from support.records import archive_record
from xmirad.catalog import imports as rows
from xmirad.catalog import requests
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.imports import ImportRow
from xmirad.catalog.requests import RequestKey
from xmirad.errors import ArchiveNotFoundError, ConcurrentImportError

CHEST = archive_record()
Open = Callable[..., Catalog]


@pytest.fixture
def catalog(open_catalog: Open) -> Catalog:
    made = open_catalog()
    made.create_archive(CHEST)
    return made


def begin(catalog: Catalog) -> int:
    answer = lambda creation, number: f"{creation}/{number}".encode()  # noqa: E731
    put = partial(rows.begin, archive="chest", site="local", request="{}", answer=answer)
    creation, number = catalog.database.write(put)
    assert creation == CHEST.creation
    return number


def found(catalog: Catalog, number: int = 1) -> ImportRow:
    row = catalog.database.read(partial(rows.find_import, site="local", archive="chest", number=number))
    assert row is not None
    return row


def end(catalog: Catalog, number: int, result: str = "{}") -> None:
    finish = partial(rows.finish, creation=CHEST.creation, number=number, result=result)
    catalog.database.write(finish)


def plan(catalog: Catalog, number: int, *firsts: int) -> None:
    put = partial(rows.put_plan, creation=CHEST.creation, number=number, plan=str(firsts), firsts=firsts)
    catalog.database.write(put)


def test_a_replay_finds_the_import_that_was_begun_before_its_answer_was_lost(catalog: Catalog) -> None:
    key = RequestKey("local", "", "CreateImportRequest", "some-id")
    ask = partial(requests.begin, key=key, digest="d")
    with requests.under_way(catalog.database.write(ask)):
        number = begin(catalog)
    replay = catalog.database.write(ask)
    assert (replay.is_done, replay.result) == (True, f"{CHEST.creation}/{number}".encode())


def test_one_import_runs_at_a_time_whoever_begins_it(catalog: Catalog, open_catalog: Open) -> None:
    other = open_catalog(create=False)
    assert begin(catalog) == 1
    for each in (catalog, other):
        with pytest.raises(ConcurrentImportError) as caught:
            begin(each)
        assert caught.value.metadata == {"import": "imports/chest-000001"}
    end(other, 1, '"first"')
    end(catalog, 1, '"second"')
    assert found(catalog).result == '"first"'
    assert [begin(other), found(catalog, 2).number] == [2, 2]


def test_no_import_begins_in_an_archive_that_is_deleted_or_closed(catalog: Catalog) -> None:
    catalog.close_archive(CHEST.creation)
    with pytest.raises(ArchiveNotFoundError):
        begin(catalog)
    catalog.delete_archive(CHEST)
    with pytest.raises(ArchiveNotFoundError):
        begin(catalog)


def test_of_two_workers_at_the_same_images_one_counts_them(catalog: Catalog, open_catalog: Open) -> None:
    begin(catalog)
    plan(catalog, 1, 0, 10)
    plan(open_catalog(create=False), 1, 0)
    assert [each.position for each in found(catalog).segments] == [0, 10]
    second = found(catalog).segments[1]
    move = partial(rows.move_on, creation=CHEST.creation, number=1, segment=second)
    for worker, position in ((catalog, 14), (open_catalog(create=False), 17)):
        worker.database.write(partial(move, done=f'{{"created": {position - 10}}}', position=position))
    assert [(each.position, each.done) for each in found(catalog).segments] == [(0, "{}"), (14, '{"created": 4}')]


def test_nothing_reads_a_whole_table(catalog: Catalog) -> None:
    for number in range(1, 30):
        begin(catalog)
        plan(catalog, number, 0, 10)
        end(catalog, number)
    page = partial(rows.page_of_imports, site="local", after="imports/chest-000003", limit=5)

    def work() -> None:
        begin(catalog)
        plan(catalog, 30, 0, 10)
        assert [row.number for row in catalog.database.read(rows.latest_imports)] == [30]
        with pytest.raises(ConcurrentImportError):
            catalog.database.read(partial(rows.require_idle, creation=CHEST.creation))
        for archive in ("", "chest"):
            assert [row.number for row in catalog.database.read(partial(page, archive=archive))] == [4, 5, 6, 7, 8]
        end(catalog, 30)

    assert_no_scan(catalog.database, work)
