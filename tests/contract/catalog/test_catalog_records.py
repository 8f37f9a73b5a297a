"""Archives and items: what is stored comes back, on both engines and from another connection."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from support.catalogs import damage_archive, damage_document
from support.records import archive_record, item_record
from xmirad.catalog import items
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.items import PAGE
from xmirad.catalog.records import DeletedArchive, Identity, ItemState, encode_item
from xmirad.errors import ArchiveAlreadyExistsError, ArchiveNotFoundError, RecordCorruptError
from xmirad.types import ItemAttributes, OriginalsPolicy, Sex

CHEST = archive_record()
OTHER = archive_record(creation="d" * 32, archive="skin", originals=OriginalsPolicy.REFERENCE)


@pytest.fixture
def chest(catalog: Catalog) -> Catalog:
    """A catalog with an archive."""
    catalog.create_archive(CHEST)
    return catalog


def test_records_come_back_equal_from_another_connection(chest: Catalog, open_catalog: Callable[..., Catalog]) -> None:
    chest.create_archive(OTHER)
    record = item_record(
        attributes=ItemAttributes(labels=("a", "Ω\0"), sex=Sex.FEMALE, year=2020, age_band=0, modality="DX"),
        identity=Identity("x", "1.2", "1.2.3", "1.2.3.4", 7),
    )
    assert chest.put_item(record)
    other = open_catalog(create=False)
    assert other.archives() == [CHEST, OTHER]
    assert other.archive(OTHER.site, "skin") == OTHER
    assert other.item(CHEST, record.item) == record
    assert list(other.items(CHEST)) == [record]


def test_creating_an_archive_again_returns_the_first_record(chest: Catalog) -> None:
    assert chest.create_archive(archive_record(creation="d" * 32, create_time=5.0)) == CHEST
    assert chest.archives() == [CHEST]


def test_sites_have_archives_of_their_own_under_one_name(chest: Catalog) -> None:
    other = archive_record(creation="d" * 32, site="other")
    assert chest.create_archive(other) == other
    assert chest.archives() == [CHEST, other]
    chest.delete_archive(CHEST)
    assert chest.archive("other", "chest") == other
    with pytest.raises(ArchiveNotFoundError):
        chest.archive(CHEST.site, "chest")


@pytest.mark.parametrize("change", [{"model": "other"}, {"originals": OriginalsPolicy.REFERENCE}], ids=str)
def test_creating_an_archive_with_other_settings_is_refused(chest: Catalog, change: dict[str, str]) -> None:
    with pytest.raises(ArchiveAlreadyExistsError):
        chest.create_archive(archive_record(creation="d" * 32, **change))


def test_an_unknown_archive_is_an_error_that_names_it(catalog: Catalog) -> None:
    with pytest.raises(ArchiveNotFoundError) as caught:
        catalog.archive("local", "missing")
    assert caught.value.metadata == {"archive": "missing"}


def test_the_latest_revision_of_an_item_counts(chest: Catalog) -> None:
    changed = item_record(revision=2, attributes=ItemAttributes(labels=("pneumonia",)))
    assert chest.put_item(item_record())
    assert chest.put_item(changed)
    assert not chest.put_item(item_record(revision=2))
    assert not chest.put_item(item_record())
    assert chest.item(CHEST, changed.item) == changed
    assert list(chest.items(CHEST)) == [changed]


def test_items_come_once_each_in_the_order_of_their_ids_over_several_pages(chest: Catalog) -> None:
    records = [item_record(number) for number in range(PAGE + 3)]
    for record in records:
        chest.put_item(record)
    in_order = sorted(records, key=lambda record: record.item)
    assert list(chest.items(CHEST)) == in_order
    wanted = [each.item for each in in_order]
    assert set(chest.find_items(CHEST, [*wanted, "unknown"])) == set(wanted)
    assert len(chest.references(CHEST, wanted)) == len(wanted)


def test_a_deleted_item_is_gone_and_its_revision_goes_on_when_it_is_stored_again(chest: Catalog) -> None:
    record = item_record(revision=3)
    chest.put_item(record)
    chest.add_tombstones(CHEST, [record.item])
    assert chest.item_state(CHEST, record.item) == ItemState(replace(record, revision=4), 4, has_tombstone=True)
    assert [found.item for found in chest.half_deleted(CHEST)] == [record.item]
    assert (list(chest.items(CHEST)), chest.item(CHEST, record.item), chest.has_items(CHEST)) == ([], None, False)
    chest.forget_items(CHEST, [record.item])
    assert chest.item_state(CHEST, record.item) == ItemState(None, 4, has_tombstone=True)
    assert list(chest.half_deleted(CHEST)) == []
    again = item_record(revision=5)
    assert not chest.put_item(record, restore=True)
    assert not chest.put_item(again)
    assert list(chest.items(CHEST)) == []
    assert chest.put_item(again, restore=True)
    assert list(chest.items(CHEST)) == [again]


def test_nothing_is_stored_while_there_is_a_tombstone(chest: Catalog) -> None:
    chest.add_tombstones(CHEST, [item_record().item])
    assert not chest.put_item(item_record(revision=9))
    assert list(chest.items(CHEST)) == []
    assert chest.has_tombstone(CHEST, item_record().item)


def test_nothing_is_stored_in_an_archive_that_was_deleted_even_if_there_is_another_of_its_name(chest: Catalog) -> None:
    chest.put_item(item_record())
    chest.delete_archive(CHEST)
    again = chest.create_archive(archive_record(creation="d" * 32))
    writes: list[Callable[[], object]] = [
        lambda: chest.put_item(item_record(1)),
        lambda: chest.add_tombstones(CHEST, [item_record().item]),
        lambda: chest.delete_archive(CHEST),
    ]
    for write in writes:
        with pytest.raises(ArchiveNotFoundError):
            write()
    assert (chest.archives(), chest.deleted_archives()) == ([again], [DeletedArchive(CHEST.creation, "chest")])
    assert chest.item(CHEST, item_record().item) is None
    assert list(chest.items(again)) == []


def test_a_forgotten_archive_leaves_nothing_and_touches_no_other(chest: Catalog) -> None:
    chest.put_item(item_record())
    chest.add_tombstones(CHEST, [item_record(1).item])
    chest.delete_archive(CHEST)
    again = chest.create_archive(archive_record(creation="d" * 32))
    chest.put_item(item_record(creation=again.creation))
    chest.forget_archive(CHEST.creation)
    assert chest.deleted_archives() == []
    assert chest.item_state(CHEST, item_record(1).item) == ItemState(None, 0, has_tombstone=False)
    assert list(chest.items(again)) == [item_record(creation=again.creation)]
    chest.forget_archive(CHEST.creation)  # it can be repeated


def images_in_use(catalog: Catalog, images: set[str]) -> set[str]:
    return catalog.database.read(partial(items.images_in_use, digests=images))


def files_to_keep(catalog: Catalog, files: set[str]) -> set[str]:
    return catalog.database.read(partial(items.files_to_keep, digests=files))


def test_images_and_files_are_in_use_as_long_as_an_item_that_is_not_deleted_uses_them(chest: Catalog) -> None:
    chest.create_archive(OTHER)
    shared = item_record(1, creation=OTHER.creation, archive="skin")
    for record in (item_record(0), item_record(1), shared, item_record(2, file="f" * 64)):
        chest.put_item(record)
    images = {item_record(number).image for number in range(4)}
    assert images_in_use(chest, images) == images - {item_record(3).image}
    chest.add_tombstones(CHEST, [item_record(0).item, item_record(1).item])
    assert images_in_use(chest, images) == {shared.image, item_record(2).image}
    assert files_to_keep(chest, {shared.file, "f" * 64}) == {"f" * 64}  # `skin` keeps references only
    chest.delete_archive(CHEST)
    assert images_in_use(chest, images) == {shared.image}
    assert files_to_keep(chest, {shared.file, "f" * 64}) == set()


@pytest.mark.parametrize("damage", ["truncate", "missing", "extra", "empty", "wrong type"])
def test_a_damaged_record_names_its_item_and_hides_no_other(
    chest: Catalog, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = item_record(0), item_record(1)
    for record in (broken, whole):
        chest.put_item(record)
    document = encode_item(broken)
    values = json.loads(document)
    changed = {
        "missing": {name: value for name, value in values.items() if name != "patient"},
        "extra": values | {"surprise": 1},
        "wrong type": values | {"geometry": 3},
    }.get(damage)
    damage_document(
        chest, broken.item, json.dumps(changed) if changed else document[:-5] if damage == "truncate" else ""
    )
    for read in (chest.item, lambda _, item: chest.item_state(CHEST, item)):
        with pytest.raises(RecordCorruptError) as caught:
            read(CHEST, broken.item)
        assert caught.value.metadata == {"archive": "chest", "item": f"archives/chest/items/{broken.item}"}
    assert list(chest.items(CHEST)) == [whole]
    assert chest.find_items(CHEST, [broken.item, whole.item]) == {whole.item: whole}
    assert [record.message for record in caplog.records] == ["catalog.record_corrupt"] * 2
    assert images_in_use(chest, {broken.image}) == {broken.image}
    assert [found.image for found in chest.references(CHEST, [broken.item])] == [broken.image]


def test_a_damaged_archive_is_an_error_of_its_own_and_hides_no_other(chest: Catalog) -> None:
    chest.create_archive(OTHER)
    damage_archive(chest, "skin")
    errors: list[RecordCorruptError] = []
    assert chest.archives(on_corrupt=errors.append) == [CHEST]
    assert [error.metadata for error in errors] == [{"archive": "skin"}]
    with pytest.raises(RecordCorruptError):
        chest.archive(OTHER.site, "skin")


def test_records_have_the_same_content_whatever_their_revision_and_time() -> None:
    assert item_record().has_same_content(item_record(revision=3, create_time=9.0))
    assert not item_record().has_same_content(item_record(attributes=ItemAttributes(labels=("pneumonia",))))
