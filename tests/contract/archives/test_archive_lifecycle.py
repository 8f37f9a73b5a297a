"""Creating, opening, rebuilding and dropping archives is the same in every store."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from support.archive_oracle import (
    EMBEDDING_SIZE,
    binding_of,
)
from xmirad.archive.port import Archive, ArchiveStore, StoredItem
from xmirad.errors import (
    ArchiveNotFoundError,
    EmbeddingCorruptError,
    InvalidRequestError,
    ModelMismatchError,
    SiteKeyMismatchError,
)

BINDING = binding_of()


def test_creating_twice_opens_what_is_there(archive: Archive, store: ArchiveStore, items: list[StoredItem]) -> None:
    assert store.create(BINDING).count() == len(items)
    assert store.open(BINDING).count() == len(items)
    assert store.list() == ["covidx"]


def test_an_archive_of_another_model_or_site_key_is_refused(archive: Archive, store: ArchiveStore) -> None:
    for enter in (store.create, store.open):
        with pytest.raises(ModelMismatchError) as caught:
            enter(replace(BINDING, model_digest="e" * 64))
        assert caught.value.metadata["model"] == "e" * 12
        with pytest.raises(ModelMismatchError):
            enter(replace(BINDING, embedding_size=EMBEDDING_SIZE + 1))
        with pytest.raises(SiteKeyMismatchError):
            enter(replace(BINDING, site_key_fingerprint="0" * 16))


def test_an_archive_that_is_not_there_is_not_found(store: ArchiveStore) -> None:
    with pytest.raises(ArchiveNotFoundError):
        store.open(BINDING)
    store.drop("covidx")
    for name in ("../covidx", "Covidx", "", "a_b"):
        with pytest.raises(InvalidRequestError):
            store.create(replace(BINDING, archive=name))


def test_archives_are_listed_by_name_and_dropped_one_by_one(archive: Archive, store: ArchiveStore) -> None:
    other = store.create(binding_of("covidx-2"))
    store.create(binding_of("a"))
    assert store.list() == ["a", "covidx", "covidx-2"]
    store.drop("covidx")
    assert store.list() == ["a", "covidx-2"]
    assert other.count() == 0
    with pytest.raises(ArchiveNotFoundError):
        store.open(BINDING)
    assert store.create(BINDING).count() == 0


def test_a_rebuild_leaves_the_old_version_readable_until_it_switches(
    archive: Archive, store: ArchiveStore, items: list[StoredItem]
) -> None:
    seen: list[int] = []

    def batches() -> Iterator[Sequence[StoredItem]]:
        for begin in range(0, 100, 25):
            seen.append(archive.count())
            yield items[begin : begin + 25]

    rebuilt = store.rebuilt(BINDING, batches())
    assert seen == [len(items)] * 4
    assert rebuilt.count() == 100
    assert store.open(BINDING).count() == 100
    assert store.list() == ["covidx"]


def test_a_rebuild_that_fails_leaves_the_old_version(
    archive: Archive, store: ArchiveStore, items: list[StoredItem]
) -> None:
    broken = replace(items[0], embedding=np.zeros(EMBEDDING_SIZE, dtype=np.float32))
    with pytest.raises(EmbeddingCorruptError):
        store.rebuilt(BINDING, iter([items[:50], [broken]]))
    assert archive.count() == len(items)
    assert store.open(BINDING).count() == len(items)
    assert store.rebuilt(BINDING, iter([items[:50]])).count() == 50


def test_a_rebuild_brings_back_an_archive_that_was_lost(store: ArchiveStore, items: list[StoredItem]) -> None:
    assert store.rebuilt(BINDING, iter([items])).count() == len(items)
    other_model = replace(BINDING, model_digest="e" * 64)
    assert store.rebuilt(other_model, iter([items[:3]])).count() == 3
    with pytest.raises(ModelMismatchError):
        store.open(BINDING)


def test_a_store_that_is_there_answers_a_ping(store: ArchiveStore) -> None:
    store.ping()
