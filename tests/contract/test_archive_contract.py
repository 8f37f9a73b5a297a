"""What every store of archives does alike: Edge, and Qdrant over gRPC."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.archive_oracle import (
    EMBEDDING_SIZE,
    binding_of,
    expected_results,
    lattice_embedding,
    random_id,
    random_item,
    random_items,
    random_query,
    takes_part,
)
from support.qdrant_server import QdrantServer
from xmirad.archive import filters
from xmirad.archive.conditions import All, AnyOf, Between, Condition, ItemIs, Not, PayloadField
from xmirad.archive.edge import EdgeStore
from xmirad.archive.port import Archive, ArchiveStore, StoredItem
from xmirad.archive.qdrant import QdrantStore
from xmirad.archive.search import SearchQuery, search_archive
from xmirad.errors import (
    ArchiveEmptyError,
    ArchiveNotFoundError,
    EmbeddingCorruptError,
    InvalidRequestError,
    ModelMismatchError,
    SiteKeyMismatchError,
)
from xmirad.types import Float32Array, ItemFilter, PatientPolicy

BINDING = binding_of()


@pytest.fixture(params=["edge", "qdrant"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArchiveStore]:
    opened: ArchiveStore
    if request.param == "edge":
        opened = EdgeStore(tmp_path / "store")
        yield opened
        opened.close()
        return
    with QdrantServer() as server:
        opened = QdrantStore(server.url)
        yield opened
        opened.close()


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def items(random: np.random.Generator) -> list[StoredItem]:
    return random_items(random, 150)


@pytest.fixture
def archive(store: ArchiveStore, items: list[StoredItem]) -> Archive:
    created = store.create(BINDING)
    created.upsert(items)
    return created


def axis(index: int) -> Float32Array:
    embedding: Float32Array = np.eye(EMBEDDING_SIZE, dtype=np.float32)[index]
    return embedding


def test_search_agrees_with_brute_force_on_random_queries_with_many_ties(
    archive: Archive, items: list[StoredItem], random: np.random.Generator
) -> None:
    for _ in range(150):
        query = random_query(random, items)
        outcome = search_archive(archive, query)
        expected = expected_results(items, query)
        found = [(result.item, result.score, result.same_patient) for result in outcome.results]
        assert found == [(result.item, result.score, result.same_patient) for result in expected], query
        assert [result.rank for result in outcome.results] == list(range(1, len(expected) + 1))
        assert outcome.searched_items == sum(takes_part(item, query) for item in items)
        assert outcome.exact == (query.exact or archive.always_exact)


def test_search_agrees_with_brute_force_on_embeddings_of_any_direction(
    store: ArchiveStore, random: np.random.Generator
) -> None:
    items = random_items(random, 150, smooth=True)
    archive = store.create(BINDING)
    archive.upsert(items)
    for _ in range(50):
        query = random_query(random, items, smooth=True)
        outcome = search_archive(archive, query)
        expected = expected_results(items, query)
        assert [result.item for result in outcome.results] == [result.item for result in expected]
        assert [result.score for result in outcome.results] == pytest.approx(
            [each.score for each in expected], abs=1e-6
        )


def test_results_carry_the_payload_as_it_was_stored(archive: Archive, items: list[StoredItem]) -> None:
    payloads = {item.item: item.payload for item in items}
    outcome = search_archive(archive, SearchQuery(axis(0), 500))
    assert len(outcome.results) == sum(item.payload.site == "local" for item in items)
    assert all(result.payload == payloads[result.item] for result in outcome.results)


def test_a_search_without_payload_returns_items_and_scores_only(archive: Archive, items: list[StoredItem]) -> None:
    for policy in PatientPolicy:
        query = SearchQuery(axis(0), 20, patient=items[0].payload.patient, policy=policy)
        full = search_archive(archive, query)
        bare = search_archive(archive, replace(query, with_payload=False))
        assert [(each.item, each.score) for each in bare.results] == [(each.item, each.score) for each in full.results]
        assert all(each.payload is None and each.same_patient is None for each in bare.results)


def test_equal_scores_are_ordered_by_item_id_wherever_the_cut_falls(
    store: ArchiveStore, random: np.random.Generator
) -> None:
    twins = [replace(random_item(random, axis(0)), item=random_id(random)) for _ in range(40)]
    twins = [replace(item, payload=replace(item.payload, site="local")) for item in twins]
    archive = store.create(BINDING)
    archive.upsert(twins)
    ids = sorted(item.item for item in twins)
    for top_k in (1, 7, 39, 40, 41):
        found = search_archive(archive, SearchQuery(axis(0), top_k)).results
        assert [result.item for result in found] == ids[:top_k]


def test_grouping_ends_and_is_complete_when_one_patient_crowds_the_query(
    store: ArchiveStore, random: np.random.Generator
) -> None:
    crowd = [_local(random_item(random, axis(0)), "crowd") for _ in range(300)]
    others = [_local(random_item(random, lattice_embedding(random)), f"other-{index}") for index in range(12)]
    archive = store.create(BINDING)
    archive.upsert([*crowd, *others])
    for top_k in (1, 5, 13, 50):
        query = SearchQuery(axis(0), top_k, policy=PatientPolicy.GROUP)
        found = [(result.item, result.score) for result in search_archive(archive, query).results]
        assert found == [(each.item, each.score) for each in expected_results([*crowd, *others], query)]
        assert len(found) == min(top_k, 13)


@pytest.mark.parametrize("policy", list(PatientPolicy))
def test_no_search_shows_another_site(archive: Archive, items: list[StoredItem], policy: PatientPolicy) -> None:
    sites = {item.item: item.payload.site for item in items}
    query = SearchQuery(axis(0), 500, site="elsewhere", patient="nobody", policy=policy)
    found = search_archive(archive, query).results
    assert found
    assert {sites[result.item] for result in found} == {"elsewhere"}


def test_without_the_condition_on_the_site_other_sites_would_show(
    archive: Archive, items: list[StoredItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: the mandatory condition is what keeps sites apart."""

    def every_item(site: str) -> Condition:
        return All(())

    monkeypatch.setattr(filters, "of_site", every_item)
    sites = {item.item: item.payload.site for item in items}
    found = search_archive(archive, SearchQuery(axis(0), 500)).results
    assert {sites[result.item] for result in found} == {"local", "elsewhere"}


def test_an_empty_archive_is_an_error_and_an_empty_selection_is_not(archive: Archive, store: ArchiveStore) -> None:
    query = SearchQuery(axis(0), 5)
    with pytest.raises(ArchiveEmptyError):
        search_archive(store.create(binding_of("empty")), query)
    with pytest.raises(ArchiveEmptyError):
        search_archive(archive, replace(query, site="a-site-without-items"))
    outcome = search_archive(archive, replace(query, filter=ItemFilter(labels=("no such label",))))
    assert outcome.results == ()
    assert outcome.searched_items == 0


def test_unknown_filter_values_are_refused_by_name(archive: Archive, store: ArchiveStore) -> None:
    filters.unknown_values(archive, ItemFilter(labels=("肺炎", "normal"), splits=("test",)), site="local")
    with pytest.raises(InvalidRequestError) as caught:
        filters.unknown_values(archive, ItemFilter(labels=("normal", "kovid")), site="local")
    assert caught.value.field == "filter.labels"
    assert caught.value.metadata["value"] == "kovid"
    assert set(caught.value.metadata["known_values"].split(", ")) == {"covid", "normal", "Lungenentzündung", "肺炎"}
    filters.unknown_values(store.create(binding_of("empty")), ItemFilter(labels=("kovid",)), site="local")


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


def assert_same_bits(found: Float32Array | None, stored: Float32Array | None) -> None:
    assert found is not None
    assert stored is not None
    assert found.tobytes() == stored.tobytes()


def _local(item: StoredItem, patient: str) -> StoredItem:
    return replace(item, payload=replace(item.payload, site="local", patient=patient))
