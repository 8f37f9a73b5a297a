"""The vector store follows the catalog: whatever is written in which order, and wherever an applier dies."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.catalogs import damage_document, damage_embedding
from support.plans import assert_no_scan
from support.records import archive_record, item_record, unit_vector
from xmirad.catalog import marks as marks_module
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.leases import Lease, Leases
from xmirad.catalog.marks import BULK, Change, Marks
from xmirad.catalog.records import ArchiveRecord

CHEST = archive_record()
ITEMS = [item_record(number) for number in range(3)]
IDS = [record.item for record in ITEMS]
EVERYTHING = 1_000


@pytest.fixture
def chest(catalog: Catalog) -> Catalog:
    catalog.create_archive(CHEST)
    return catalog


def marks_of(catalog: Catalog) -> Marks:
    return Marks(catalog.database)


def changes(catalog: Catalog, record: ArchiveRecord = CHEST) -> list[Change]:
    return marks_of(catalog).changes(record, limit=EVERYTHING)


def settle(catalog: Catalog, found: list[Change], record: ArchiveRecord = CHEST) -> None:
    marks_of(catalog).settle(record, [(change.item, change.ticket) for change in found])


def test_what_is_written_is_marked_in_the_same_transaction_with_all_that_the_store_needs(chest: Catalog) -> None:
    ticket = chest.put_item(ITEMS[0], unit_vector(0))
    (change,) = changes(chest)
    assert (change.item, change.ticket, change.revision, change.record) == (IDS[0], ticket, 1, ITEMS[0])
    assert change.embedding is not None
    assert (change.embedding == unit_vector(0)).all()
    assert marks_of(chest).creations_with_changes() == [CHEST.creation]


def test_a_deletion_is_marked_as_nothing_to_be_found(chest: Catalog) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    settle(chest, changes(chest))
    chest.add_tombstones(CHEST, IDS[:1])
    (change,) = changes(chest)
    assert (change.record, change.is_readable, change.revision) == (None, True, 2)
    chest.forget_items(CHEST, IDS[:1])
    (later,) = changes(chest)
    assert (later.record, later.revision, later.embedding) == (None, 2, None)


def test_a_write_that_is_refused_marks_nothing(chest: Catalog) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    settle(chest, changes(chest))
    assert chest.put_item(ITEMS[0], unit_vector(0)) is None
    assert changes(chest) == []


def test_what_changes_while_it_is_applied_stays_marked(chest: Catalog, open_catalog: Callable[..., Catalog]) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    read = changes(chest)
    open_catalog().put_item(replace(ITEMS[0], revision=2))
    settle(chest, read)
    assert [change.revision for change in changes(chest)] == [2]


def test_an_applier_that_settles_what_another_one_settled_long_ago_marks_it_again(chest: Catalog) -> None:
    """It may have written an old state over the new one: paused after reading, awake after everything else."""
    chest.put_item(ITEMS[0], unit_vector(0))
    paused = changes(chest)
    chest.add_tombstones(CHEST, IDS[:1])
    settle(chest, changes(chest))
    marks_of(chest).forget_applied(CHEST, age_ms=0)
    assert changes(chest) == []
    settle(chest, paused)
    assert [(change.item, change.record) for change in changes(chest)] == [(IDS[0], None)]


def test_a_mark_of_the_same_item_later_is_not_taken_for_the_one_that_was_read(chest: Catalog) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    paused = changes(chest)
    settle(chest, changes(chest))
    marks_of(chest).forget_applied(CHEST, age_ms=0)
    chest.add_tombstones(CHEST, IDS[:1])
    settle(chest, paused)
    assert [change.record for change in changes(chest)] == [None]


def test_what_the_store_acknowledged_is_applied_again_until_it_is_durable(chest: Catalog) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    settle(chest, changes(chest))
    marks_of(chest).forget_applied(CHEST, age_ms=60_000)
    marks_of(chest).reopen(CHEST)
    assert [change.item for change in changes(chest)] == [IDS[0]]
    settle(chest, changes(chest))
    marks_of(chest).forget_applied(CHEST, age_ms=0)
    marks_of(chest).reopen(CHEST)
    assert changes(chest) == []


def test_uploads_and_deletions_go_before_imports_also_once_they_concern_the_same_item(chest: Catalog) -> None:
    for record in ITEMS:
        chest.put_item(record, unit_vector(0), priority=BULK)
    last = max(IDS)
    chest.add_tombstones(CHEST, [last])
    marks_of(chest).mark(CHEST, [last], priority=BULK)
    assert [change.item for change in changes(chest)] == [last, *sorted(set(IDS) - {last})]


def test_an_item_that_only_the_store_knows_can_be_marked_and_is_to_be_deleted(chest: Catalog) -> None:
    marks_of(chest).mark(CHEST, IDS[:1])
    (change,) = changes(chest)
    assert (change.record, change.is_readable, change.revision) == (None, True, 0)


def test_an_item_whose_record_cannot_be_read_is_not_taken_for_a_deleted_one(chest: Catalog) -> None:
    for record in ITEMS[:2]:
        chest.put_item(record, unit_vector(0))
    damage_document(chest, IDS[0])
    found = {change.item: change for change in changes(chest)}
    assert (found[IDS[0]].record, found[IDS[0]].is_readable) == (None, False)
    assert found[IDS[1]].record == ITEMS[1]


@pytest.mark.parametrize("vector", [None, b"garbage", unit_vector(1, 4).tobytes()])
def test_an_embedding_that_is_missing_damaged_or_of_another_size_is_told_as_none(
    chest: Catalog, vector: bytes | None
) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    damage_embedding(chest, IDS[0], vector)
    assert [(change.record, change.embedding) for change in changes(chest)] == [(ITEMS[0], None)]


def test_an_archive_takes_its_marks_along_and_another_of_its_name_has_none(chest: Catalog) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    marks_of(chest).mark(CHEST, IDS)
    chest.delete_archive(CHEST)
    assert marks_of(chest).creations_with_changes() == []
    again = chest.create_archive(archive_record(creation="d" * 32))
    assert changes(chest, again) == []
    chest.forget_archive(CHEST.creation)
    assert changes(chest) == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "delete", "restore", "forget", "stray"]), st.integers(0, 2)),
        st.tuples(st.sampled_from(["read", "write", "settle", "die", "flush", "reopen"]), st.integers(0, 1)),
    ),
    max_size=30,
)


class Appliers:
    """Two appliers, each of which may be paused or die between any two of its steps, and the store that they write."""

    def __init__(self, catalog: Catalog, record: ArchiveRecord) -> None:
        self.catalog, self.record = catalog, record
        self.marks = Marks(catalog.database)
        self.store: dict[str, int] = {}
        self.read: list[list[Change]] = [[], []]
        self.written: list[list[Change]] = [[], []]

    def step(self, step: str, number: int) -> None:
        if step == "read":
            self.read[number], self.written[number] = changes(self.catalog, self.record), []
        elif step == "write":
            self.write(self.read[number])
            self.written[number] = self.read[number]
        elif step == "settle":
            if self.written[number]:
                settle(self.catalog, self.written[number], self.record)
            self.written[number] = []
        elif step == "flush":
            self.marks.forget_applied(self.record, age_ms=0)
        elif step == "reopen":
            self.marks.reopen(self.record)

    def write(self, found: list[Change]) -> None:
        for change in found:
            if change.record is None:
                self.store.pop(change.item, None)
            else:
                self.store[change.item] = change.revision

    def finish(self) -> None:
        """End both, each with what it has begun, then apply what is marked."""
        for number in (0, 1):
            if self.read[number]:
                self.step("write", number)
                self.step("settle", number)
        while found := changes(self.catalog, self.record):
            self.write(found)
            settle(self.catalog, found, self.record)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_order_of_writing_and_applying_leaves_in_the_store_what_the_catalog_holds(
    catalog: Catalog, steps: list[tuple[str, int]]
) -> None:
    for record in catalog.archives():  # of the example before
        catalog.delete_archive(record)
    for deleted in catalog.deleted_archives():
        catalog.forget_archive(deleted.creation)
    archive = catalog.create_archive(CHEST)
    appliers = Appliers(catalog, archive)
    for step, number in steps:
        if step in {"read", "write", "settle", "flush", "reopen"}:
            appliers.step(step, number)
        elif step == "die":  # an applier that is gone for good, whose claim the next one has found
            lost = appliers.read[number]
            appliers.read[number], appliers.written[number] = [], []
            Marks(catalog.database).mark(archive, [change.item for change in lost])
        elif step == "stray":
            Marks(catalog.database).mark(archive, [IDS[number]])
        else:
            change_item(catalog, archive, step, number)
    appliers.finish()
    assert appliers.store == {record.item: record.revision for record in catalog.items(archive)}


def change_item(catalog: Catalog, archive: ArchiveRecord, step: str, number: int) -> None:
    item = IDS[number]
    if step == "delete":
        catalog.add_tombstones(archive, [item])
    elif step == "forget":
        if catalog.has_tombstone(archive, item):
            catalog.forget_items(archive, [item])
    else:
        revision = catalog.item_state(archive, item).revision + 1
        catalog.put_item(replace(ITEMS[number], revision=revision), unit_vector(0), restore=step == "restore")


def test_no_statement_on_marks_reads_a_whole_table(chest: Catalog) -> None:
    for record in ITEMS:
        chest.put_item(record, unit_vector(0))
    marks = marks_of(chest)
    found = changes(chest)
    for work in (
        marks.creations_with_changes,
        lambda: marks.changes(CHEST, limit=2),
        lambda: marks.are_pending(CHEST, IDS),
        lambda: marks.count_pending(CHEST, at_most=2),
        lambda: settle(chest, found),
        lambda: marks.reopen(CHEST),
        lambda: marks.forget_applied(CHEST, age_ms=0),
        lambda: chest.not_live(CHEST, IDS),
        lambda: chest.count_items(CHEST),
    ):
        assert_no_scan(chest.database, work)


def test_items_that_are_not_there_are_found_however_many_are_asked_for(chest: Catalog) -> None:
    for record in ITEMS:
        chest.put_item(record, unit_vector(0))
    chest.add_tombstones(CHEST, IDS[:1])
    unknown = [f"unknown-{number}" for number in range(40_000)]
    assert chest.not_live(CHEST, [*IDS, *unknown]) == {IDS[0], *unknown}
    assert chest.not_live(CHEST, IDS[1:]) == set()
    assert chest.count_items(CHEST) == 2


def lease_of(catalog: Catalog, holder: str) -> Lease:
    """Take the lease over at once, as if the one before had expired."""
    leases = Leases(catalog.database)
    lease = leases.claim("index", holder, seconds=0.0)
    assert lease is not None
    return lease


def test_an_applier_that_lost_its_lease_may_not_claim_and_marks_again_what_it_wrote(
    chest: Catalog, open_catalog: Callable[..., Catalog]
) -> None:
    chest.put_item(ITEMS[0], unit_vector(0))
    paused, read = lease_of(chest, "paused"), changes(chest)
    assert marks_of(chest).claim(CHEST, IDS[:1], paused)
    other = open_catalog()
    later = lease_of(other, "other")
    other.add_tombstones(CHEST, IDS[:1])
    settle(other, changes(other))
    marks_of(other).forget_applied(CHEST, age_ms=0)

    assert not marks_of(chest).claim(CHEST, IDS[:1], paused)
    marks_of(chest).settle(CHEST, [(change.item, change.ticket) for change in read], paused)
    assert [(change.item, change.record) for change in changes(other)] == [(IDS[0], None)]
    assert marks_of(other).claim(CHEST, IDS[:1], later)


def test_what_a_dead_applier_claimed_is_marked_at_once_and_an_hour_later(
    chest: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been paused right before its write, and die right after it."""
    chest.put_item(ITEMS[0], unit_vector(0))
    dead = lease_of(chest, "dead")
    assert marks_of(chest).claim(CHEST, IDS[:1], dead)
    settle(chest, changes(chest))
    marks_of(chest).forget_applied(CHEST, age_ms=0)

    later = lease_of(chest, "later")
    marks_of(chest).recall_claims(later)
    assert [change.item for change in changes(chest)] == IDS[:1]
    settle(chest, changes(chest))
    marks_of(chest).forget_applied(CHEST, age_ms=0)
    marks_of(chest).recall_claims(later)
    assert changes(chest) == []

    monkeypatch.setattr(marks_module, "PAUSED_MS", -1)  # an hour has passed
    marks_of(chest).recall_claims(later)
    assert [change.item for change in changes(chest)] == IDS[:1]
    settle(chest, changes(chest))
    marks_of(chest).recall_claims(later)
    assert changes(chest) == []


def test_claims_on_an_archive_that_is_gone_are_no_error(chest: Catalog) -> None:
    dead = lease_of(chest, "dead")
    assert marks_of(chest).claim(CHEST, IDS[:1], dead)
    chest.delete_archive(CHEST)
    chest.forget_archive(CHEST.creation)
    marks_of(chest).recall_claims(lease_of(chest, "later"))
    marks_of(chest).settle(CHEST, [(IDS[0], 1)], dead)
