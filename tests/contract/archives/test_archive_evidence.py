"""What counts as evidence, and where feedback leads, is the same in every store: what brute force says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from support.archive_oracle import (
    binding_of,
    expected_results,
    random_items,
    random_query,
    smooth_embedding,
    takes_part,
)
from xmirad.archive.evidence import EvidenceItems, evidence_items, search_with_evidence
from xmirad.archive.feedback import Judgments, moved_query
from xmirad.archive.port import Archive, ArchiveStore, ScoredItem, StoredItem
from xmirad.archive.search import SearchQuery, search_archive
from xmirad.evidence.weighing import Neighbor
from xmirad.types import ItemFilter, PatientPolicy


def slow_evidence(items: list[StoredItem], query: SearchQuery, own_image: str) -> EvidenceItems:
    """Rank everything of the filter, then leave out own image and patient one by one."""
    everything = replace(
        query, top_k=len(items), policy=PatientPolicy.INCLUDE, excluded_image_digest=None, min_score=None
    )
    everything = replace(everything, excluded_item=query.excluded_item)
    payloads = {item.item: item.payload for item in items}
    counted, same_patient = [], 0
    for found in expected_results(items, everything):
        payload = payloads[found.item]
        if payload.image_digest == own_image:
            continue
        if query.patient is not None and payload.patient == query.patient:
            same_patient += 1
            continue
        counted.append(Neighbor(found.score, payload.attributes.labels))
    return EvidenceItems(tuple(counted[:10]), same_patient)


def rounded(found: EvidenceItems) -> tuple[list[tuple[float, tuple[str, ...]]], int]:
    return [(round(each.score, 5), each.labels) for each in found.neighbors], found.same_patient_items


def test_the_items_that_count_are_those_of_brute_force(
    archive: Archive, items: list[StoredItem], random: np.random.Generator
) -> None:
    reused = 0
    for _ in range(150):
        query = random_query(random, items)
        query = replace(query, excluded_item=None, patient=query.patient if random.random() < 0.7 else None)
        if query.patient is None:
            query = replace(query, policy=PatientPolicy.INCLUDE)
        query = replace(query, with_payload=bool(random.random() < 0.8))
        own_image = query.excluded_image_digest or "digest-3"
        outcome = search_archive(archive, query)
        found = evidence_items(archive, query, outcome, own_image=own_image)
        assert rounded(found) == rounded(slow_evidence(items, query, own_image)), query
        same, together = search_with_evidence(archive, query, own_image=own_image)
        assert (same.results, same.searched_items) == (outcome.results, outcome.searched_items), query
        assert rounded(together) == rounded(found), query
        reused += len(outcome.results) >= 10
    assert 20 < reused < 150


def test_one_query_of_the_store_finds_results_and_evidence(
    store: ArchiveStore, random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = store.create(binding_of("alone"))
    spread = random_items(random, 60, smooth=True)  # no two scores are equal: one query finds a ranking's end
    archive.upsert([replace(each, payload=replace(each.payload, site="local", patient=each.item)) for each in spread])
    asked: list[int] = []
    ask = type(archive).query

    def counted(*args: Any, top_k: int, **options: Any) -> list[ScoredItem]:  # noqa: ANN401
        asked.append(top_k)
        return ask(*args, top_k=top_k, **options)

    monkeypatch.setattr(type(archive), "query", counted)
    query = SearchQuery(smooth_embedding(random), 3, patient=spread[0].item)
    outcome, found = search_with_evidence(archive, query, own_image="none")
    assert (len(outcome.results), len(found.neighbors), len(asked)) == (3, 10, 1)
    search_with_evidence(archive, replace(query, with_payload=False), own_image="none")
    assert len(asked) == 3


def test_a_filter_decides_what_can_count(archive: Archive, items: list[StoredItem]) -> None:
    query = SearchQuery(np.eye(16, dtype=np.float32)[0], 3, filter=ItemFilter(labels=("covid",)))
    found = evidence_items(archive, query, search_archive(archive, query), own_image="none")
    assert all("covid" in each.labels for each in found.neighbors)
    assert len(found.neighbors) == min(10, sum(takes_part(item, query) for item in items))


def test_feedback_leads_to_the_same_ranking_everywhere(store: ArchiveStore, random: np.random.Generator) -> None:
    binding = binding_of("feedback")
    items = random_items(random, 80, smooth=True)
    archive = store.create(binding)
    archive.upsert(items)
    local = [item.item for item in items if item.payload.site == "local"]
    embeddings = {item.item: item.embedding for item in items}
    for _ in range(20):
        query = smooth_embedding(random)
        chosen = [str(each) for each in random.permutation(local)[:5]]
        judged = Judgments(tuple(chosen[:2]), tuple(chosen[2:]))
        moved = moved_query(archive, query, judged, site="local")
        rows = np.array([embeddings[item] for item in chosen], dtype=np.float64)
        wanted = query + rows[:2].mean(axis=0) - 0.5 * rows[2:].mean(axis=0)
        assert moved == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)
        search = SearchQuery(moved, 100, filter=ItemFilter(excluded_items=judged.items))
        found = [each.item for each in search_archive(archive, search).results]
        assert found == [each.item for each in expected_results(items, search)]
        assert not set(found) & set(chosen)
