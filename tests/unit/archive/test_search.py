from dataclasses import replace

import numpy as np
import pytest

from support.archive_oracle import (
    EMBEDDING_SIZE,
    binding_of,
    expected_results,
    random_item,
    random_items,
    random_query,
    smooth_embedding,
)
from support.memory_archive import MemoryArchive
from xmirad.archive.port import ScoredItem, StoredItem
from xmirad.archive.search import SearchQuery, search_archive
from xmirad.errors import InvalidRequestError
from xmirad.types import Float32Array, PatientPolicy, SamePatient

AXIS: Float32Array = np.eye(EMBEDDING_SIZE, dtype=np.float32)[0]


def local_item(seed: int, *, patient: str, known: bool = True, embedding: Float32Array = AXIS) -> StoredItem:
    item = random_item(np.random.default_rng(seed), embedding)
    return replace(item, payload=replace(item.payload, site="local", patient=patient, patient_known=known))


def at_angle(radians: float) -> Float32Array:
    """Return the unit vector at an angle to the axis; the score is its cosine."""
    embedding = np.zeros(EMBEDDING_SIZE, dtype=np.float32)
    embedding[:2] = np.cos(radians), np.sin(radians)
    return embedding


def spread_items(count: int) -> list[StoredItem]:
    """Return items without ties, each of its own patient."""
    random = np.random.default_rng(1)
    seeds = range(10_000, 10_000 + count)
    return [local_item(seed, patient=f"p{seed}", embedding=smooth_embedding(random)) for seed in seeds]


@pytest.mark.parametrize("seed", range(4))
def test_results_are_those_of_brute_force(seed: int) -> None:
    random = np.random.default_rng(seed)
    items = random_items(random, 60)
    for _ in range(25):
        query = random_query(random, items)
        found = [(each.item, each.score) for each in search_archive(MemoryArchive(binding_of(), items), query).results]
        assert found == [(each.item, each.score) for each in expected_results(items, query)]


@pytest.mark.parametrize("top_k", [0, -1])
def test_at_least_one_result_must_be_asked_for(top_k: int) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        search_archive(MemoryArchive(binding_of(), spread_items(3)), SearchQuery(AXIS, top_k))
    assert caught.value.field == "top_k"


@pytest.mark.parametrize("policy", [PatientPolicy.EXCLUDE, PatientPolicy.FLAG])
def test_comparing_patients_needs_a_patient(policy: PatientPolicy) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        search_archive(MemoryArchive(binding_of(), spread_items(3)), SearchQuery(AXIS, 3, policy=policy))
    assert caught.value.field == "patient"


@pytest.mark.parametrize(
    ("query_patient", "query_known", "item_patient", "item_known", "expected"),
    [
        ("a", True, "a", True, SamePatient.YES),
        ("a", True, "b", True, SamePatient.NO),
        ("a", True, "b", False, SamePatient.UNKNOWN),
        ("a", False, "b", True, SamePatient.UNKNOWN),
        ("a", False, "b", False, SamePatient.UNKNOWN),
        ("study", False, "study", False, SamePatient.YES),
    ],
)
def test_patients_are_the_same_if_their_keys_are_and_differ_only_if_both_are_known(
    query_patient: str, query_known: bool, item_patient: str, item_known: bool, expected: SamePatient
) -> None:
    archive = MemoryArchive(binding_of(), [local_item(0, patient=item_patient, known=item_known)])
    query = SearchQuery(AXIS, 1, patient=query_patient, patient_known=query_known, policy=PatientPolicy.FLAG)
    assert search_archive(archive, query).results[0].same_patient is expected


def test_a_search_without_ties_asks_once_for_one_more() -> None:
    archive = MemoryArchive(binding_of(), spread_items(50))
    search_archive(archive, SearchQuery(AXIS, 10))
    assert archive.asked == [11]


def test_a_tie_at_the_cut_is_followed_to_its_end_and_no_further() -> None:
    ties = [local_item(seed, patient="p") for seed in range(30)]
    archive = MemoryArchive(binding_of(), ties + spread_items(200))
    found = search_archive(archive, SearchQuery(AXIS, 10)).results
    assert [each.item for each in found] == sorted(item.item for item in ties)[:10]
    assert archive.asked == [11, 22, 44]


def test_never_more_is_asked_for_than_takes_part() -> None:
    archive = MemoryArchive(binding_of(), spread_items(20))
    assert len(search_archive(archive, SearchQuery(AXIS, 100_000)).results) == 20
    assert archive.asked == [20]


def test_groups_take_one_round_where_every_item_has_its_own_patient() -> None:
    archive = MemoryArchive(binding_of(), spread_items(100))
    search_archive(archive, SearchQuery(AXIS, 10, policy=PatientPolicy.GROUP))
    assert archive.asked == [41]


def test_groups_behind_a_crowd_take_two_rounds() -> None:
    crowd = [local_item(seed, patient="crowd", embedding=at_angle(0.1 + seed / 2000)) for seed in range(500)]
    archive = MemoryArchive(binding_of(), crowd + spread_items(100))
    found = search_archive(archive, SearchQuery(AXIS, 10, policy=PatientPolicy.GROUP)).results
    patients = [each.payload.patient for each in found if each.payload is not None]
    assert len(patients) == len(set(patients)) == 10
    assert len(archive.asked) == 2


def test_the_best_of_a_patient_is_chosen_among_all_its_ties_even_across_rounds() -> None:
    crowd = [local_item(seed, patient="crowd", embedding=at_angle(0.1 + seed / 100)) for seed in range(8)]
    tied = [local_item(seed, patient="other", embedding=at_angle(1.0)) for seed in range(100, 105)]
    archive = MemoryArchive(binding_of(), crowd + tied)
    found = search_archive(archive, SearchQuery(AXIS, 2, policy=PatientPolicy.GROUP)).results
    assert archive.asked[0] == 9  # the eight of the crowd and one of the five that tie
    assert found[1].item == min(item.item for item in tied)


def test_groups_end_when_a_store_never_leaves_anybody_out() -> None:
    class Stubborn(MemoryArchive):
        def query(self, embedding: Float32Array, **options: object) -> list[ScoredItem]:
            return super().query(embedding, top_k=8)

    items = [local_item(seed, patient="same") for seed in range(8)]
    archive = Stubborn(binding_of(), items)
    assert len(search_archive(archive, SearchQuery(AXIS, 2, policy=PatientPolicy.GROUP)).results) == 1
    assert len(archive.asked) <= 2


def test_the_time_in_the_store_is_told() -> None:
    outcome = search_archive(MemoryArchive(binding_of(), spread_items(5)), SearchQuery(AXIS, 3))
    assert 0.0 < outcome.seconds < 1.0
