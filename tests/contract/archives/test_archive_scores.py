"""Scores are cosines: rounding must not lead beyond 1, where a caller's arc cosine is undefined."""

from dataclasses import replace

import numpy as np

from support.archive_oracle import binding_of, random_item, smooth_embedding
from xmirad.archive.port import ArchiveStore, StoredItem
from xmirad.archive.search import SearchQuery, search_archive
from xmirad.types import Float32Array

EMBEDDING_SIZE = 256
DRAWN, LONGEST = 4_000, 40


def longest(random: np.random.Generator) -> list[Float32Array]:
    """Return unit vectors that rounding has made longest."""
    drawn = [np.abs(smooth_embedding(random, EMBEDDING_SIZE)) for _ in range(DRAWN)]
    return sorted(drawn, key=lambda each: -float(np.linalg.norm(each.astype(np.float64))))[:LONGEST]


def test_no_score_lies_beyond_1(store: ArchiveStore, random: np.random.Generator) -> None:
    embeddings = longest(random)
    items = [_local(random_item(random, embedding)) for embedding in embeddings]
    archive = store.create(binding_of(embedding_size=EMBEDDING_SIZE))
    archive.upsert(items)
    best = [search_archive(archive, SearchQuery(each, 1)).results[0].score for each in embeddings]
    assert max(best) == 1.0
    worst = [search_archive(archive, SearchQuery(-each, LONGEST)).results[-1].score for each in embeddings]
    assert min(worst) == -1.0


def _local(item: StoredItem) -> StoredItem:
    return replace(item, payload=replace(item.payload, site="local"))
