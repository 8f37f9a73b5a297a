"""Searching means the same in every store: as a slow comparison with every item says."""

from dataclasses import replace

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
from xmirad.archive import filters
from xmirad.archive.conditions import All, Condition
from xmirad.archive.port import Archive, ArchiveStore, StoredItem
from xmirad.archive.search import SearchQuery, search_archive
from xmirad.errors import (
    ArchiveEmptyError,
    InvalidRequestError,
)
from xmirad.types import Float32Array, ItemFilter, PatientPolicy

BINDING = binding_of()


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


def _local(item: StoredItem, patient: str) -> StoredItem:
    return replace(item, payload=replace(item.payload, site="local", patient=patient))
