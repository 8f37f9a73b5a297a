"""Any sequence of writes leaves what a dictionary would hold, and killed writers lose nothing acknowledged."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from support.project import ROOT
from support.records import archive_record, item_record
from xmirad.catalog import items
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.errors import ArchiveNotFoundError

NUMBERS = st.integers(0, 2)
IMAGES = [item_record(number).image for number in range(3)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NUMBERS),
        st.tuples(st.just("delete"), NUMBERS),
        st.tuples(st.just("restore"), NUMBERS),
        st.tuples(st.just("forget"), NUMBERS),
        st.tuples(st.just("recreate"), st.just(0)),
    ),
    max_size=12,
)


class Oracle:
    """What the catalog should hold, as dictionaries."""

    def __init__(self) -> None:
        self.records: dict[str, ItemRecord] = {}
        self.revisions: dict[str, int] = {}
        self.deleted: set[str] = set()
        self.wanted = item_record()

    def put(self, record: ItemRecord) -> None:
        self.wanted = replace(record, revision=self.revisions.get(record.item, 0) + 1)
        if record.item not in self.deleted:
            self.records[record.item] = self.wanted
            self.revisions[record.item] = self.wanted.revision

    def delete(self, item: str) -> None:
        self.deleted.add(item)
        self.revisions[item] = self.revisions.get(item, 0) + 1

    def live(self) -> list[ItemRecord]:
        return [self.records[item] for item in sorted(self.records) if item not in self.deleted]

    def half_deleted(self) -> list[str]:
        return sorted(self.records.keys() & self.deleted)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_writes_leaves_what_a_dictionary_holds(catalog: Catalog, steps: list[tuple[str, int]]) -> None:
    creations = 0
    for record in catalog.archives():  # of the example before
        catalog.delete_archive(record)
    for deleted in catalog.deleted_archives():
        catalog.forget_archive(deleted.creation)
    archive, oracle = catalog.create_archive(archive_record(creation=f"{creations:032x}")), Oracle()
    for step, number in steps:
        if step == "recreate":
            creations += 1
            catalog.delete_archive(archive)
            archive, oracle = catalog.create_archive(archive_record(creation=f"{creations:032x}")), Oracle()
        else:
            apply(catalog, oracle, archive, step, number)
        assert list(catalog.items(archive)) == oracle.live()
        assert [found.item for found in catalog.half_deleted(archive)] == oracle.half_deleted()
        assert catalog.database.read(partial(items.images_in_use, digests=IMAGES)) == {
            each.image for each in oracle.live()
        }


def apply(catalog: Catalog, oracle: Oracle, archive: ArchiveRecord, step: str, number: int) -> None:
    record = item_record(number, creation=archive.creation)
    item = record.item
    if step == "put":
        oracle.put(record)
        assert bool(catalog.put_item(oracle.wanted)) is (item not in oracle.deleted)
        assert not catalog.put_item(oracle.wanted)
    elif step == "delete":
        oracle.delete(item)
        catalog.add_tombstones(archive, [item])
    elif step == "restore":
        oracle.deleted.discard(item)
        oracle.put(record)
        assert catalog.put_item(oracle.wanted, restore=True)
    else:
        if item in oracle.deleted:
            oracle.records.pop(item, None)
        catalog.forget_items(archive, [item])
    assert catalog.item_state(archive, item).revision == oracle.revisions.get(item, 0)


def test_writers_on_several_connections_store_each_revision_once(
    catalog: Catalog, open_catalog: Callable[..., Catalog]
) -> None:
    archive = catalog.create_archive(archive_record())
    stored: list[tuple[int, int]] = []

    def write(writer: int) -> None:
        own = open_catalog()
        records = [item_record(revision=revision, patient=str(writer)) for revision in range(1, 11)]
        stored.extend((record.revision, writer) for record in records if own.put_item(record))

    threads = [threading.Thread(target=write, args=[writer]) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    revisions = [revision for revision, _ in stored]
    assert len(revisions) == len(set(revisions))
    state = catalog.item_state(archive, item_record().item)
    assert state.record is not None
    assert (state.revision, state.record.patient) == (10, str(dict(stored)[10]))


def test_an_archive_is_created_once_by_many_at_the_same_time(
    catalog: Catalog, open_catalog: Callable[..., Catalog]
) -> None:
    found: list[ArchiveRecord] = []

    def create(writer: int) -> None:
        found.append(open_catalog().create_archive(archive_record(creation=f"{writer:032x}")))

    threads = [threading.Thread(target=create, args=[writer]) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == catalog.archives() * 4


def test_collecting_a_deleted_archive_waits_for_a_writer_under_way(
    catalog: Catalog, open_catalog: Callable[..., Catalog]
) -> None:
    """Otherwise its item would come after the collection, and stay."""
    archive, other = catalog.create_archive(archive_record()), open_catalog()
    passed, go_on, collected = threading.Event(), threading.Event(), list[int]()

    def write_slowly() -> None:
        def work(connection: Connection) -> None:
            items.put_item(connection, item_record())
            passed.set()
            assert go_on.wait(5)

        other.database.write(work)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert passed.wait(5)

    def collect() -> None:
        catalog.delete_archive(archive)
        catalog.close_archive(archive.creation)
        collected.append(catalog.forget_some_items(archive.creation))
        catalog.forget_archive(archive.creation)

    collector = threading.Thread(target=collect)
    collector.start()
    collector.join(0.3)
    assert collector.is_alive()
    go_on.set()
    writer.join()
    collector.join(5)
    assert collected == [1]
    assert catalog.item_state(archive, item_record().item).revision == 0
    with pytest.raises(ArchiveNotFoundError):
        other.put_item(item_record(1))


WRITER = """
import sys
from support.project import ROOT
from support.records import item_record
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
catalog = Catalog(Database(sys.argv[1]))
for number in range(1000):
    catalog.put_item(item_record(number))
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(catalog: Catalog, url: str) -> None:
    archive = catalog.create_archive(archive_record())
    path = os.pathsep.join((str(ROOT / "tests"), *sys.path))
    command, environment = [sys.executable, "-c", WRITER, url], {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        assert writer.stdout is not None
        assert [writer.stdout.readline() for _ in range(20)] == [f"{number}\n" for number in range(20)]
        writer.send_signal(signal.SIGKILL)
        acknowledged = 20 + sum(1 for _ in writer.stdout)
    present = {record.item for record in catalog.items(archive)}
    assert {item_record(number).item for number in range(acknowledged)} <= present
    assert len(present) <= acknowledged + 1
    assert catalog.put_item(item_record(5000))
