"""Storing, reading, counting and deleting items is the same in every store."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from support.archive_oracle import (
    EMBEDDING_SIZE,
    binding_of,
    random_id,
    random_items,
)
from xmirad.archive.conditions import All, AnyOf, Between, Condition, ItemIs, Not, PayloadField
from xmirad.archive.port import Archive, ArchiveStore, StoredItem
from xmirad.archive.search import SearchQuery, search_archive
from xmirad.errors import (
    EmbeddingCorruptError,
    InvalidRequestError,
)
from xmirad.types import Float32Array

BINDING = binding_of()


def axis(index: int) -> Float32Array:
    embedding: Float32Array = np.eye(EMBEDDING_SIZE, dtype=np.float32)[index]
    return embedding


def test_conditions_mean_what_they_say(archive: Archive, items: list[StoredItem]) -> None:
    first = items[0]
    years = [item.payload.attributes.year for item in items]
    cases: list[tuple[Condition, Callable[[StoredItem], bool]]] = [
        (All(()), lambda item: True),
        (Not(All(())), lambda item: False),
        (AnyOf(PayloadField.LABELS, ()), lambda item: False),
        (AnyOf(PayloadField.LABELS, ("肺炎",)), lambda item: "肺炎" in item.payload.attributes.labels),
        (Not(AnyOf(PayloadField.LABELS, ("covid",))), lambda item: "covid" not in item.payload.attributes.labels),
        (AnyOf(PayloadField.SEX, ("F",)), lambda item: item.payload.attributes.sex == "F"),
        (Between(PayloadField.YEAR), lambda item: item.payload.attributes.year is not None),
        (Between(PayloadField.YEAR, 2003, 2003), lambda item: item.payload.attributes.year == 2003),
        (ItemIs(()), lambda item: False),
        (ItemIs((first.item, random_id(np.random.default_rng(1)))), lambda item: item.item == first.item),
        (Not(Not(ItemIs((first.item,)))), lambda item: item.item == first.item),
        (
            All((AnyOf(PayloadField.PATIENT, (first.payload.patient,)), Not(ItemIs((first.item,))))),
            lambda item: item.payload.patient == first.payload.patient and item.item != first.item,
        ),
    ]
    assert None in years
    for condition, holds in cases:
        wanted = {item.item for item in items if holds(item)}
        assert archive.count(condition) == len(wanted), condition
        assert {each.item for each in archive.scan(after=None, limit=1000, where=condition)} == wanted, condition
        found = archive.query(axis(0), top_k=1000, where=condition, with_payload=False)
        assert {each.item for each in found} == wanted, condition


def test_scanning_walks_all_items_once_by_id(archive: Archive, items: list[StoredItem]) -> None:
    by_id = {item.item: item for item in items}
    pages: list[StoredItem] = []
    page = archive.scan(after=None, limit=7, with_embedding=True)
    while page:
        pages.extend(page)
        assert len(page) == 7 or len(pages) == len(items)
        page = archive.scan(after=page[-1].item, limit=7, with_embedding=True)
    assert [item.item for item in pages] == sorted(by_id)
    for item in pages:
        assert item.payload == by_id[item.item].payload
        assert_same_bits(item.embedding, by_id[item.item].embedding)


def test_scanning_goes_on_behind_an_item_that_is_gone(archive: Archive, items: list[StoredItem]) -> None:
    ids = sorted(item.item for item in items)
    archive.delete([ids[9]])
    assert [item.item for item in archive.scan(after=ids[9], limit=3)] == ids[10:13]
    assert archive.scan(after=ids[-1], limit=3) == []


def test_getting_keeps_the_order_of_asking_and_leaves_missing_items_out(
    archive: Archive, items: list[StoredItem], random: np.random.Generator
) -> None:
    asked = [items[5].item, random_id(random), items[2].item]
    got = archive.get(asked, with_embedding=True)
    assert [item.item for item in got] == [items[5].item, items[2].item]
    assert got[0].payload == items[5].payload
    assert_same_bits(got[0].embedding, items[5].embedding)
    assert archive.get([items[2].item])[0].embedding is None
    assert archive.get([]) == []


def test_an_embedding_is_read_back_bit_by_bit(store: ArchiveStore, random: np.random.Generator) -> None:
    items = random_items(random, 20, smooth=True)
    archive = store.create(BINDING)
    archive.upsert(items)
    for item, got in zip(items, archive.get([item.item for item in items], with_embedding=True), strict=True):
        assert_same_bits(got.embedding, item.embedding)


def test_storing_an_item_again_replaces_all_that_was_known_of_it(archive: Archive, items: list[StoredItem]) -> None:
    labeled = next(item for item in items if item.payload.attributes.labels)
    relabeled = replace(labeled.payload, attributes=replace(labeled.payload.attributes, labels=("new",), year=None))
    archive.upsert([replace(labeled, payload=relabeled)])
    assert archive.count() == len(items)
    assert archive.get([labeled.item])[0].payload == relabeled
    assert archive.count(AnyOf(PayloadField.LABELS, ("new",))) == 1


def test_deleted_items_are_gone_from_every_answer(archive: Archive, items: list[StoredItem]) -> None:
    gone = [item.item for item in items[:20]]
    archive.delete([*gone, random_id(np.random.default_rng(2))])
    archive.delete([])
    assert archive.count() == len(items) - 20
    assert archive.get(gone) == []
    assert not {each.item for each in archive.query(axis(0), top_k=1000)} & set(gone)


def test_counts_follow_every_write_at_once(archive: Archive, items: list[StoredItem]) -> None:
    local = AnyOf(PayloadField.SITE, ("local",))
    where = All((local, Not(ItemIs((items[0].item,)))))
    stored = {item.item: item for item in items}
    for step, item in enumerate(items[:12]):
        if step % 2:
            archive.delete([item.item])
            del stored[item.item]
        else:
            moved = replace(item, payload=replace(item.payload, site="local" if step % 4 else "elsewhere"))
            archive.upsert([moved])
            stored[item.item] = moved
        expected = [name for name, each in stored.items() if each.payload.site == "local"]
        assert archive.count(local) == len(expected)
        assert archive.count(where) == len(set(expected) - {items[0].item})
        assert archive.count() == len(stored)


def test_facets_count_every_value_exactly(archive: Archive, items: list[StoredItem]) -> None:
    local = [item.payload for item in items if item.payload.site == "local"]
    where = AnyOf(PayloadField.SITE, ("local",))
    labels = Counter(label for payload in local for label in payload.attributes.labels)
    assert archive.facet(PayloadField.LABELS, where=where) == labels
    assert archive.facet(PayloadField.PATIENT, where=where) == Counter(payload.patient for payload in local)
    years = Counter(str(each.attributes.year) for each in local if each.attributes.year is not None)
    assert archive.facet(PayloadField.YEAR, where=where) == years
    synthetic = Counter(str(payload.attributes.synthetic).lower() for payload in local)
    assert archive.facet(PayloadField.SYNTHETIC, where=where) == synthetic
    assert sum(archive.facet(PayloadField.SITE).values()) == len(items)


BAD_EMBEDDINGS: dict[str, Float32Array | None] = {
    "nan": np.array([np.nan] + [0.0] * (EMBEDDING_SIZE - 1), dtype=np.float32),
    "infinite": np.array([np.inf] + [0.0] * (EMBEDDING_SIZE - 1), dtype=np.float32),
    "zero": np.zeros(EMBEDDING_SIZE, dtype=np.float32),
    "too long": np.full(EMBEDDING_SIZE, 0.2501, dtype=np.float32),
    "too small": np.array([1.0, 0.0], dtype=np.float32),
    "missing": None,
}


@pytest.mark.parametrize("fault", BAD_EMBEDDINGS)
def test_an_embedding_that_is_no_unit_vector_is_refused_with_its_whole_batch(
    archive: Archive, items: list[StoredItem], random: np.random.Generator, fault: str
) -> None:
    good, bad = random_items(random, 2)
    with pytest.raises(EmbeddingCorruptError) as caught:
        archive.upsert([good, replace(bad, embedding=BAD_EMBEDDINGS[fault])])
    assert caught.value.metadata["item"] == bad.item
    assert archive.count() == len(items)


@pytest.mark.parametrize("fault", ["nan", "infinite", "zero", "too small"])
def test_a_query_that_cannot_be_compared_is_refused(archive: Archive, fault: str) -> None:
    embedding = BAD_EMBEDDINGS[fault]
    assert embedding is not None
    with pytest.raises(InvalidRequestError) as caught:
        search_archive(archive, SearchQuery(embedding, 5))
    assert caught.value.field == "embedding.values"
    with pytest.raises(InvalidRequestError):
        archive.query(embedding, top_k=5)


def assert_same_bits(found: Float32Array | None, stored: Float32Array | None) -> None:
    assert found is not None
    assert stored is not None
    assert found.tobytes() == stored.tobytes()
