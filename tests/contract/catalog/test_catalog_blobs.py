"""Blobs of images: whatever uploads, deletions and sweeps do at the same time, what a live item needs can be read.

Uploads and deletions are taken step by step, on connections of their own, as processes that may be paused or killed.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import combinations, count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from support.catalogs import blob_locations, location_of
from support.plans import assert_no_scan
from support.records import archive_record, item_record, unit_vector
from xmirad.blobs import keys
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog import blobs as rows
from xmirad.catalog import explanations as explanation_rows
from xmirad.catalog import items, purges
from xmirad.catalog.blobs import BlobsEndedError
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.catalog.orphans import orphaned_blobs
from xmirad.catalog.purges import BlobPurger
from xmirad.catalog.records import ItemRecord, ItemReference
from xmirad.catalog.tables import blobs as blob_table
from xmirad.errors import BackendUnavailableError
from xmirad.types import OriginalsPolicy, UInt8Array

CHEST = archive_record()
DAY = 86_400.0
Steps = Iterator[None]


@dataclass(slots=True)
class Process:
    """What a process works with; all of them share catalog and blob store."""

    catalog: Catalog
    blobs: FolderBlobStore
    days: float = 0.0

    @property
    def images(self) -> ImageBlobs:
        return ImageBlobs(self.catalog.database, self.blobs)

    def sweep(self, *, days: float = 0.0) -> None:
        """Purge what is due, some days later."""
        self.days += days
        clock = lambda: time.time() + self.days * DAY  # noqa: E731
        BlobPurger(self.catalog.database, self.blobs, clock=clock).purge_all()

    def upload(self, record: ItemRecord) -> Steps:
        """Store an item as an upload does, step by step."""
        while True:
            claims = self.images.claim(blobs_of(record))
            yield
            for claim in claims:
                self.images.write([claim])
                yield
            try:
                at = [claim.row.location for claim in claims]
                self.catalog.put_item(record, unit_vector(0), blobs_at=at, restore=True)
            except BlobsEndedError as error:
                self.images.take_back(error.locations)
                yield
            else:
                return

    def delete(self, record: ItemRecord) -> Steps:
        """Delete an item as the service does, and purge its blobs, step by step."""
        self.catalog.add_tombstones(CHEST, [record.item])
        yield
        self.catalog.forget_items(CHEST, [record.item])
        yield
        found = self.catalog.database.read(partial(purges.unpurged, owner=blob_table))
        yield
        for location in found:
            self.blobs.delete(location)
            yield
        if found:
            now = time.time()
            self.catalog.database.write(partial(purges.purged, owner=blob_table, found=found, now=now))

    def has(self, record: ItemRecord) -> bool:
        """Return whether all that an item needs can be read."""
        pixels = self.images.input(record.image, record.preprocessing)
        is_whole = pixels is not None and np.array_equal(pixels, pixels_of(record.image))
        return is_whole and self.images.original(record.file) == file_of(record.image)

    def stored(self, *images: str) -> list[str]:
        """Return the keys of what the blob store holds of images."""
        wanted = {*images, *(sha256(file_of(image)).hexdigest() for image in images)}
        found = [key for kind in ("inputs", "originals") for key in self.blobs.list(f"{kind}/")]
        return [key for key in found if key.split("/")[2].split(".")[0] in wanted]


def pixels_of(image: str) -> UInt8Array:
    return np.frombuffer(bytes.fromhex(image)[:12], np.uint8).reshape(2, 2, 3)


def file_of(image: str) -> bytes:
    return b"file of " + image.encode()


def blobs_of(record: ItemRecord) -> list[NewBlob]:
    pixels = NewBlob.input(record.image, record.preprocessing, pixels_of(record.image))
    return [pixels, NewBlob.original(record.file, file_of(record.image))]


def item(number: int, image: int, *, revision: int = 1) -> ItemRecord:
    digest = sha256(b"image %d" % image).hexdigest()
    return item_record(number, image=digest, file=sha256(file_of(digest)).hexdigest(), revision=revision)


def run(*steps: Steps) -> None:
    for each in steps:
        for _ in each:
            pass


def length(steps: Callable[[int], tuple[Steps, ...]], number: int) -> list[int]:
    """Return how many steps each of some actors takes if it is not disturbed."""
    return [1 + sum(1 for _ in each) for each in steps(number)]


def orders(first: int, second: int) -> Iterator[set[int]]:
    """Yield every way of putting steps of two actors in a row: the places of the first one's."""
    yield from map(set, combinations(range(first + second), first))


def interleave(first: Steps, second: Steps, places: set[int], total: int, check: Callable[[], None]) -> None:
    for place in range(total):
        next(first if place in places else second, None)
        check()
    run(first, second)


@pytest.fixture
def process(catalog: Catalog, tmp_path: Path) -> Process:
    catalog.create_archive(CHEST)
    return Process(catalog, FolderBlobStore(tmp_path / "blobs"))


@pytest.fixture
def other(process: Process, open_catalog: Callable[..., Catalog]) -> Process:
    return Process(open_catalog(), process.blobs)


def test_an_image_is_put_once_for_all_its_items(process: Process) -> None:
    first, second = item(0, 0), item(1, 0)
    run(process.upload(first))
    before = process.stored(first.image)
    run(process.upload(second), process.upload(item(0, 0, revision=2)))
    assert process.stored(first.image) == before == blob_locations(process.catalog)
    assert process.has(second)


def test_no_file_is_kept_for_archives_that_keep_references_only(process: Process) -> None:
    skin = process.catalog.create_archive(
        archive_record(creation="d" * 32, archive="skin", originals=OriginalsPolicy.REFERENCE)
    )
    record = item(0, 0)
    run(process.upload(record))
    process.catalog.put_item(
        item_record(9, creation=skin.creation, archive="skin", image=record.image, file=record.file)
    )
    run(process.delete(record))
    assert process.images.input(record.image, record.preprocessing) is not None
    assert process.images.original(record.file) is None
    process.catalog.delete_archive(skin)
    process.catalog.close_archive(skin.creation)
    assert process.catalog.forget_some_items(skin.creation) == 1
    process.sweep()
    assert process.stored(record.image) == []


def test_every_order_of_deleting_an_item_and_uploading_its_image_again_leaves_the_image_readable(
    process: Process, other: Process
) -> None:
    numbers = count()

    def actors(number: int) -> tuple[Steps, Steps]:
        return process.delete(item(2 * number, number)), other.upload(item(2 * number + 1, number))

    number = next(numbers)
    run(process.upload(item(2 * number, number)))
    first, second = length(actors, number)
    run(process.delete(item(2 * number + 1, number)))
    for places in orders(first, second):
        number = next(numbers)
        old, new = item(2 * number, number), item(2 * number + 1, number)
        run(process.upload(old))

        def check(new: ItemRecord = new) -> None:
            assert process.catalog.item(CHEST, new.item) is None or process.has(new)

        deleting, uploading = actors(number)
        interleave(deleting, uploading, places, first + second, check)
        assert process.catalog.item(CHEST, old.item) is None
        assert other.has(new)
        process.sweep()
        assert other.has(new)
        run(process.delete(new))
    for days in (2, 2):
        process.sweep(days=days)
    assert [key for key in process.blobs.list("inputs/")] == [key for key in process.blobs.list("originals/")] == []


def test_every_order_of_two_uploads_of_an_image_leaves_one_copy(process: Process, other: Process) -> None:
    numbers = count()

    def actors(number: int) -> tuple[Steps, Steps]:
        return process.upload(item(2 * number, number)), other.upload(item(2 * number + 1, number))

    first, second = length(actors, next(numbers))
    first = second = max(first, second)
    for places in orders(first, second):
        number = next(numbers)
        records = item(2 * number, number), item(2 * number + 1, number)

        def check(records: tuple[ItemRecord, ...] = records) -> None:
            assert all(process.catalog.item(CHEST, each.item) is None or process.has(each) for each in records)

        interleave(*actors(number), places, first + second, check)
        process.sweep()
        assert len(process.stored(records[0].image)) == 2
        assert all(map(other.has, records))


@pytest.mark.parametrize("steps", range(5))
def test_an_upload_that_dies_after_any_step_leaves_nothing_for_more_than_a_day(process: Process, steps: int) -> None:
    record = item(0, 0)
    dying = process.upload(record)
    for _ in range(steps):
        next(dying, None)
    is_stored = process.catalog.item(CHEST, record.item) is not None
    assert is_stored is (steps == 4)
    process.sweep()
    assert len(process.stored(record.image)) == min(max(steps - 1, 0), 2)
    process.sweep(days=1.1)
    assert len(process.stored(record.image)) == (2 if is_stored else 0)
    process.sweep(days=1.1)
    assert len(blob_locations(process.catalog)) == (2 if is_stored else 0)


@pytest.mark.parametrize("steps", range(5))
def test_an_upload_that_died_after_any_step_is_made_good_by_sending_it_again(process: Process, steps: int) -> None:
    record = item(0, 0)
    dying = process.upload(record)
    for _ in range(steps):
        next(dying, None)
    run(process.upload(record))
    assert process.has(record)
    assert process.stored(record.image) == blob_locations(process.catalog)


@pytest.mark.parametrize("steps", range(7))
def test_a_deletion_that_dies_after_any_step_is_completed(process: Process, steps: int) -> None:
    record = item(0, 0)
    run(process.upload(record))
    dying = process.delete(record)
    for _ in range(steps):
        next(dying, None)
    process.catalog.add_tombstones(CHEST, [record.item])
    process.catalog.forget_items(CHEST, [found.item for found in process.catalog.half_deleted(CHEST)])
    process.sweep()
    assert process.stored(record.image) == []


def test_an_upload_that_puts_after_its_rows_are_gone_puts_again_and_leaves_nothing_else(process: Process) -> None:
    record = item(0, 0)
    paused = process.upload(record)
    next(paused)
    for days in (1.1, 1.1, 1.1):
        process.sweep(days=days)
    run(paused)
    assert process.has(record)
    assert process.stored(record.image) == blob_locations(process.catalog)


def test_what_is_put_late_by_an_upload_that_dies_then_is_swept_within_a_day_or_named_as_an_orphan(
    process: Process,
) -> None:
    early, late = process.upload(item(0, 0)), process.upload(item(1, 1))
    for each in (early, late):
        next(each)
    process.sweep(days=1.1)  # their rows end, and are purged for the first time
    next(early)
    assert len(process.stored(item(0, 0).image)) == 1
    process.sweep(days=1.1)
    assert process.stored(item(0, 0).image) == []
    next(late)
    [left] = process.stored(item(1, 1).image)
    orphans = partial(orphaned_blobs, process.catalog.database, process.blobs)
    assert list(orphans(now=time.time())) == []
    assert list(orphans(now=time.time() + 1.1 * DAY)) == [left]


def test_orphans_are_only_what_no_row_names(process: Process) -> None:
    live, pending, ended = item(0, 0), item(1, 1), item(2, 2)
    run(process.upload(live), process.upload(ended))
    begun = process.upload(pending)
    next(begun)
    next(begun)
    process.catalog.add_tombstones(CHEST, [ended.item])
    process.catalog.forget_items(CHEST, [ended.item])
    strays = [
        "explanations/ab/abcd/0001/map",
        "inputs/ab/abcd.recipe.1",
        "occlusion/ab/abcd/key/whole",
        "queries/stray",
    ]
    for key in strays:
        process.blobs.put(key, b"bytes")
    found = orphaned_blobs(process.catalog.database, process.blobs, now=time.time() + 2 * DAY)
    assert sorted(found) == strays


@pytest.mark.parametrize("damage", [None, b"", b"garbage"])
def test_a_damaged_blob_is_put_again_under_another_key_when_its_image_is_uploaded(
    process: Process, damage: bytes | None
) -> None:
    record = item(0, 0)
    run(process.upload(record))
    before = location_of(process.catalog, record.image, record.preprocessing)
    process.blobs.delete(before)
    if damage is not None:
        process.blobs.put(before, damage)
    run(process.upload(record))
    assert location_of(process.catalog, record.image, record.preprocessing) != before
    assert process.has(record)
    process.sweep()
    assert process.stored(record.image) == blob_locations(process.catalog)


def test_a_blob_that_is_replaced_while_it_is_read_is_read_from_its_new_place(
    process: Process, other: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = item(0, 0)
    run(process.upload(record))
    before, get = location_of(process.catalog, record.image, record.preprocessing), process.blobs.get
    process.blobs.delete(before)

    def get_late(key: str) -> bytes:
        if key == before:
            monkeypatch.undo()
            run(other.upload(record))
        return get(key)

    monkeypatch.setattr(process.blobs, "get", get_late)
    assert process.has(record)


def test_an_explanation_that_cannot_be_purged_does_not_keep_blobs_of_images(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, put_query = item(0, 0), explanation_rows.put_query
    database, delete = process.catalog.database, process.blobs.delete
    run(process.upload(record))
    database.write(partial(put_query, digest="q" * 64, now=0.0))
    database.write(partial(explanation_rows.delete_query, digest="q" * 64, now=0.0))
    process.blobs.put(keys.query_picture("q" * 64), b"picture")

    def fail_for_queries(key: str) -> None:
        if key.startswith("queries/"):
            raise BackendUnavailableError("the blob store cannot delete")
        delete(key)

    monkeypatch.setattr(process.blobs, "delete", fail_for_queries)
    process.catalog.add_tombstones(CHEST, [record.item])
    process.catalog.forget_items(CHEST, [record.item])
    with pytest.raises(BackendUnavailableError):
        process.sweep()
    assert process.stored(record.image) == []


def test_a_sweep_clears_what_killed_writers_have_left(process: Process, tmp_path: Path) -> None:
    leftover, fresh = (tmp_path / "blobs" / ".partial" / name for name in ("old", "fresh"))
    for path in (leftover, fresh):
        path.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    process.sweep()
    assert (leftover.exists(), fresh.exists()) == (False, True)


def test_a_pending_blob_of_other_bytes_is_not_shared(process: Process, other: Process) -> None:
    """Another version of a decoder may have begun it."""
    record = item(0, 0)
    theirs = [NewBlob.input(record.image, record.preprocessing, pixels_of("f" * 64))]
    begun = other.images.claim(theirs)
    run(process.upload(record))
    other.images.write(begun)
    assert process.has(record)
    with pytest.raises(BlobsEndedError):
        other.catalog.put_item(item(1, 0), blobs_at=[begun[0].row.location])
    assert other.catalog.item(CHEST, item(1, 0).item) is None


def test_blobs_are_not_kept_for_an_item_that_is_deleted_while_it_is_stored_again(process: Process) -> None:
    record = item(0, 0)
    at = process.images.put(blobs_of(record))
    process.catalog.add_tombstones(CHEST, [record.item])
    assert process.catalog.put_item(record, blobs_at=at) is None
    assert blob_locations(process.catalog) == []


def test_what_a_deleted_item_used_goes_when_it_is_stored_again_with_another_image(process: Process) -> None:
    old, new = item(0, 0), item(0, 1, revision=3)
    run(process.upload(old))
    process.catalog.add_tombstones(CHEST, [old.item])  # and no more: the deletion was cut short
    run(process.upload(new))
    process.sweep()
    assert process.stored(old.image) == []
    assert process.has(new)


def test_an_item_that_was_stored_again_is_not_forgotten_by_a_deletion_that_comes_late(process: Process) -> None:
    record = item(0, 0)
    run(process.upload(record))
    deleting = process.delete(record)
    next(deleting)
    run(process.upload(item(0, 0, revision=3)), deleting)
    process.sweep()
    assert process.catalog.item(CHEST, record.item) == item(0, 0, revision=3)
    assert process.has(record)


@dataclass(slots=True)
class Halt:
    """A place within a transaction where it waits."""

    begun: threading.Event
    go_on: threading.Event

    def wait(self) -> None:
        self.begun.set()
        assert self.go_on.wait(5)


def at_once(first: Callable[[Halt], object], second: Callable[[], object]) -> list[BaseException]:
    """Run the second work while the first one halts within its transaction; return what went wrong."""
    halt, errors = Halt(threading.Event(), threading.Event()), list[BaseException]()

    def noted(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=noted, args=(work,)) for work in (lambda: first(halt), second)]
    threads[0].start()
    assert halt.begun.wait(5)
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive()
    halt.go_on.set()
    for thread in threads:
        thread.join(5)
    return errors


def test_a_deletion_waits_for_an_item_that_is_committed_onto_its_blobs_and_keeps_them(
    process: Process, other: Process
) -> None:
    old, new = item(0, 0), item(1, 0)
    run(process.upload(old))
    at = other.images.put(blobs_of(new))
    process.catalog.add_tombstones(CHEST, [old.item])

    def store(halt: Halt) -> None:
        def work(connection: Connection) -> None:
            items.put_item(connection, new, unit_vector(0))
            rows.make_live(connection, at)
            halt.wait()

        other.catalog.database.write(work)

    assert at_once(store, lambda: process.catalog.forget_items(CHEST, [old.item])) == []
    process.sweep()
    assert process.has(new)


def test_an_item_waits_for_a_deletion_that_ends_its_blobs_and_is_not_committed(
    process: Process, other: Process
) -> None:
    old, new = item(0, 0), item(1, 0)
    run(process.upload(old))
    at = other.images.put(blobs_of(new))
    process.catalog.add_tombstones(CHEST, [old.item])

    def forget(halt: Halt) -> None:
        def work(connection: Connection) -> None:
            found = items.forget_items(connection, CHEST, [old.item])
            rows.end_unused(connection, found, now=time.time())
            halt.wait()

        process.catalog.database.write(work)

    errors = at_once(forget, lambda: other.catalog.put_item(new, unit_vector(0), blobs_at=at))
    assert [type(error) for error in errors] == [BlobsEndedError]
    assert other.catalog.item(CHEST, new.item) is None


def test_blobs_that_are_abandoned_are_not_ended_once_an_item_relies_on_them(process: Process, other: Process) -> None:
    record = item(0, 0)
    at = other.images.put(blobs_of(record))

    def store(halt: Halt) -> None:
        def work(connection: Connection) -> None:
            items.put_item(connection, record, unit_vector(0))
            rows.make_live(connection, at)
            halt.wait()

        other.catalog.database.write(work)

    assert at_once(store, lambda: process.sweep(days=2)) == []
    assert process.has(record)


SLOTS = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["upload", "delete"]), SLOTS, SLOTS),
        st.tuples(st.just("step"), SLOTS, st.integers(1, 4)),
        st.tuples(st.just("die"), SLOTS, st.just(0)),
        st.tuples(st.just("sweep"), st.just(0), st.sampled_from([0, 0, 1.1])),
    ),
    max_size=40,
)
EXAMPLES = count(1_000)


class Crowd:
    """Three processes, each of which uploads or deletes one of three items, which share two images."""

    def __init__(self, processes: list[Process], base: int) -> None:
        self.processes = processes
        self.under_way: list[Steps | None] = [None, None, None]
        self.has_died_late = False
        self._base = base

    def item(self, number: int) -> ItemRecord:
        record = item(self._base + number, self._base + number % 2)
        state = self.processes[0].catalog.item_state(CHEST, record.item)
        return item(self._base + number, self._base + number % 2, revision=state.revision + 1)

    def step(self, action: str, slot: int, number: float) -> None:
        process = self.processes[slot % 2]
        if action == "sweep":
            process.sweep(days=number)
            process.days = self.processes[1 - slot % 2].days = max(each.days for each in self.processes)
        elif action == "die":
            self.has_died_late |= self.under_way[slot] is not None and process.days > 0
            self.under_way[slot] = None
        elif action == "step":
            for _ in range(int(number)):
                if self.under_way[slot] is not None:
                    next(self.under_way[slot], None)  # type: ignore[arg-type]
        elif self.under_way[slot] is None or next(self.under_way[slot], "ended") == "ended":  # type: ignore[arg-type]
            record = self.item(int(number))
            self.under_way[slot] = process.upload(record) if action == "upload" else process.delete(record)

    def live(self) -> list[ItemRecord]:
        found = [self.processes[0].catalog.item(CHEST, self.item(number).item) for number in range(3)]
        return [record for record in found if record is not None]

    def check(self) -> None:
        for record in self.live():
            assert self.processes[0].has(record)

    def finish(self) -> None:
        run(*filter(None, self.under_way))
        process = self.processes[0]
        process.catalog.forget_items(CHEST, [found.item for found in process.catalog.half_deleted(CHEST)])
        for _ in range(3):
            process.sweep(days=1.1)
        self.check()
        used = {location_of(process.catalog, each.image, each.preprocessing) for each in self.live()}
        used |= {location_of(process.catalog, each.file) for each in self.live()}
        stored = set(process.stored(self.item(0).image, self.item(1).image))
        orphans = set(orphaned_blobs(process.catalog.database, process.blobs, now=float("inf")))
        assert stored - orphans == used
        assert self.has_died_late or stored == used


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_a_live_item_can_be_read_and_a_deleted_one_leaves_nothing(
    process: Process, other: Process, steps: list[tuple[str, int, float]]
) -> None:
    process.days = other.days = 0.0
    crowd = Crowd([process, other], 10 * next(EXAMPLES))
    for step in steps:
        crowd.step(*step)
        crowd.check()
    crowd.finish()


def test_no_statement_on_blobs_reads_a_whole_table(process: Process) -> None:
    records = [item(number, number) for number in range(8)]
    for record in records:
        run(process.upload(record))
    database, reference = process.catalog.database, ItemReference(records[0].item, records[0].image, records[0].file)
    at, old = [location_of(process.catalog, record.file) for record in records[:3]], time.time() + 2 * DAY
    for work in (
        lambda: database.read(partial(rows.find_live, digest=records[0].file, preprocessing="")),
        lambda: database.read(partial(rows.find_current, digests=[records[0].image, records[0].file])),
        lambda: database.write(partial(rows.make_live, locations=at)),
        lambda: database.write(partial(rows.end_unused, found=[reference], now=0.0)),
        lambda: database.write(partial(rows.end_abandoned, before=old, now=0.0)),
        lambda: database.write(partial(rows.end, locations=at, now=0.0)),
        lambda: database.write(partial(purges.unpurged, owner=blob_table)),
        lambda: database.write(partial(purges.open_again, owner=blob_table, now=old)),
        lambda: database.write(partial(purges.purged, owner=blob_table, found=at, now=old)),
        lambda: list(orphaned_blobs(database, process.blobs, now=old)),
    ):
        with suppress(BlobsEndedError):
            assert_no_scan(database, work)
