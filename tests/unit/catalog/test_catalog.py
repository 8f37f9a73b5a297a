"""Reading and writing records."""

from pathlib import Path

import pytest

from support.records import archive_record, item_record
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog.catalog import Catalog
from xmirad.errors import ArchiveAlreadyExistsError, ArchiveNotFoundError
from xmirad.types import ItemAttributes, OriginalsPolicy


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(FolderBlobStore(tmp_path))


def test_creating_an_archive_again_returns_the_first_record(catalog: Catalog) -> None:
    first = catalog.create_archive(archive_record())
    assert catalog.create_archive(archive_record(create_time=5.0)) == first
    assert catalog.archives() == [first]


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"originals": OriginalsPolicy.REFERENCE}, {"site": "other"}], ids=str
)
def test_creating_an_archive_with_other_settings_is_refused(catalog: Catalog, change: dict[str, str]) -> None:
    catalog.create_archive(archive_record())
    with pytest.raises(ArchiveAlreadyExistsError):
        catalog.create_archive(archive_record(**change))


def test_an_unknown_archive_is_an_error_that_names_it(catalog: Catalog) -> None:
    with pytest.raises(ArchiveNotFoundError) as caught:
        catalog.archive("missing")
    assert caught.value.metadata == {"archive": "missing"}


def test_the_latest_revision_of_an_item_counts(catalog: Catalog) -> None:
    changed = item_record(revision=2, attributes=ItemAttributes(labels=("pneumonia",)))
    assert catalog.put_item(item_record())
    assert catalog.put_item(changed)
    assert not catalog.put_item(item_record(revision=2))
    assert catalog.item("chest", changed.item) == changed
    assert list(catalog.items("chest")) == [changed]


def test_items_come_once_each_in_the_order_of_their_ids(catalog: Catalog) -> None:
    records = [item_record(number) for number in range(20)]
    for record in records:
        catalog.put_item(record)
    assert list(catalog.items("chest")) == sorted(records, key=lambda record: record.item)


def test_a_buried_item_is_gone_until_it_is_unburied_and_stored_again(catalog: Catalog) -> None:
    record = item_record()
    catalog.put_item(record)
    catalog.bury_item("chest", record.item)
    assert catalog.is_buried("chest", record.item)
    assert list(catalog.items("chest")) == []
    catalog.forget_item("chest", record.item)
    assert catalog.item("chest", record.item) is None
    catalog.unbury_item("chest", record.item)
    catalog.put_item(record)
    assert list(catalog.items("chest")) == [record]


def test_a_tombstone_hides_records_that_a_crash_left_behind(catalog: Catalog) -> None:
    record = item_record()
    catalog.bury_item("chest", record.item)
    catalog.put_item(record)
    assert list(catalog.items("chest")) == []


def test_a_forgotten_archive_leaves_nothing(catalog: Catalog, tmp_path: Path) -> None:
    catalog.create_archive(archive_record())
    catalog.put_item(item_record())
    catalog.bury_item("chest", item_record(1).item)
    catalog.forget_archive("chest")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
