"""Creating, opening, rebuilding and dropping archives is the same in every store."""

from dataclasses import replace

import pytest

from support.archive_oracle import (
    EMBEDDING_SIZE,
    binding_of,
    creation_of,
)
from xmirad.archive.port import Archive, ArchiveStore, StoredItem
from xmirad.errors import (
    ArchiveNotFoundError,
    ArchiveNotReadyError,
    InvalidRequestError,
    ModelMismatchError,
    SiteKeyMismatchError,
)

BINDING = binding_of()


def test_creating_twice_opens_what_is_there(archive: Archive, store: ArchiveStore, items: list[StoredItem]) -> None:
    assert store.create(BINDING).count() == len(items)
    assert store.open(BINDING).count() == len(items)
    assert store.list() == [BINDING.creation]


def test_an_archive_of_another_model_or_site_key_is_refused(archive: Archive, store: ArchiveStore) -> None:
    for enter in (store.create, store.open):
        with pytest.raises(ModelMismatchError) as caught:
            enter(replace(BINDING, model_digest="d" * 63 + "e"))
        assert caught.value.metadata["archive"] == "covidx"
        with pytest.raises(ModelMismatchError):
            enter(replace(BINDING, embedding_size=EMBEDDING_SIZE + 1))
        with pytest.raises(SiteKeyMismatchError):
            enter(replace(BINDING, site_key_fingerprint="0" * 16))


def test_an_archive_that_is_not_there_is_not_found(store: ArchiveStore) -> None:
    with pytest.raises(ArchiveNotFoundError):
        store.open(BINDING)
    store.drop("covidx", BINDING.creation)
    for creation in ("../covidx", "C" * 32, "", "c" * 31):
        with pytest.raises(InvalidRequestError):
            store.create(replace(BINDING, creation=creation))
    for name in ("../covidx", "Covidx", "", "a_b"):
        with pytest.raises(InvalidRequestError):
            store.create(replace(BINDING, archive=name))


def test_archives_are_listed_by_name_and_dropped_one_by_one(archive: Archive, store: ArchiveStore) -> None:
    other = store.create(binding_of("covidx-2"))
    store.create(binding_of("a"))
    assert store.list() == sorted(map(creation_of, ("a", "covidx", "covidx-2")))
    store.drop("covidx", BINDING.creation)
    assert store.list() == sorted(map(creation_of, ("a", "covidx-2")))
    assert other.count() == 0
    with pytest.raises(ArchiveNotFoundError):
        store.open(BINDING)
    assert store.create(BINDING).count() == 0


def test_an_archive_that_is_created_again_shares_nothing_with_its_predecessor(
    archive: Archive, store: ArchiveStore, items: list[StoredItem]
) -> None:
    """Whoever still knows the one that was deleted finds nothing, and writes nothing into the new one."""
    again = replace(BINDING, creation="a" * 32, model_digest="e" * 64)
    new = store.create(again)
    new.upsert(items[:3])
    assert (archive.count(), new.count()) == (len(items), 3)
    store.drop("covidx", BINDING.creation)
    with pytest.raises((ArchiveNotFoundError, ArchiveNotReadyError)):
        archive.upsert(items[3:5])
    with pytest.raises(ArchiveNotFoundError):
        store.open(BINDING)
    assert (store.list(), new.count()) == ([again.creation], 3)


def test_a_reset_archive_is_empty_and_can_be_filled(
    archive: Archive, store: ArchiveStore, items: list[StoredItem]
) -> None:
    fresh = store.reset(BINDING)
    assert fresh.count() == 0
    fresh.upsert(items[:50])
    fresh.flush()
    assert store.open(BINDING).count() == 50


def test_a_reset_brings_back_an_archive_that_was_lost(store: ArchiveStore, items: list[StoredItem]) -> None:
    store.reset(BINDING).upsert(items)
    assert store.open(BINDING).count() == len(items)


def test_a_store_that_is_there_answers_a_ping(store: ArchiveStore) -> None:
    store.ping()
