"""What an index of the embedded store promises: exact searches stay exact, and it stays what it was made as."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from support.archive_oracle import binding_of, random_items
from xmirad.archive.edge import EdgeStore
from xmirad.archive.edge_archive import EdgeArchive
from xmirad.archive.port import ArchiveBinding, StoredItem
from xmirad.errors import ArchiveNotFoundError
from xmirad.types import EdgeIndex, Float32Array

# The engine makes a graph in threads of the lowest priority, which beside other work get hardly any time.
pytestmark = pytest.mark.timeout(600)
SIZE = 2_048
ITEMS = 1_300
"""Enough that the embeddings take more than the 10 MB from which an index is made."""
TOP_K = 10


def wide_items() -> list[StoredItem]:
    """Return items with clustered embeddings of 2,048 components."""
    random = np.random.default_rng(7)
    centers = random.normal(size=(30, SIZE))
    vectors = centers[random.integers(30, size=ITEMS)] + random.normal(size=(ITEMS, SIZE))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return [
        StoredItem(item.item, item.payload, vector)
        for item, vector in zip(random_items(random, ITEMS), vectors, strict=True)
    ]


@pytest.fixture(scope="module")
def items() -> list[StoredItem]:
    return wide_items()


@pytest.fixture(scope="module", params=[EdgeIndex.HNSW, EdgeIndex.INT8], ids=str)
def indexed(
    request: pytest.FixtureRequest, items: list[StoredItem], tmp_path_factory: pytest.TempPathFactory
) -> tuple[EdgeIndex, Path]:
    folder = tmp_path_factory.mktemp("indexed")
    with closing(EdgeStore(folder, index=request.param)) as store:
        store.create(binding()).upsert(items[:3])
        archive = store.create_beside(binding())
        for first in range(0, ITEMS, 256):
            archive.upsert(items[first : first + 256])
        archive.optimize()
        archive.flush()
        archive.close()
        with closing(store.open_beside(binding())) as beside:
            assert beside.count() == ITEMS
        assert (store.open(binding()).count(), store.list()) == (3, [binding().creation])
        assert store.take_beside(binding()).count() == ITEMS
    return request.param, folder


def binding() -> ArchiveBinding:
    plain = binding_of()
    return ArchiveBinding(plain.archive, plain.creation, plain.model_digest, SIZE, plain.site_key_fingerprint)


def embeddings(items: list[StoredItem]) -> Float32Array:
    return np.stack([item.embedding for item in items if item.embedding is not None])


def nearest(items: list[StoredItem], query: Float32Array) -> list[str]:
    order = np.argsort(-(embeddings(items) @ query))[:TOP_K]
    return [items[row].item for row in order]


def answers(archive: EdgeArchive, query: Float32Array, *, exact: bool) -> list[str]:
    return [found.item for found in archive.query(query, top_k=TOP_K, exact=exact)]


def test_an_archive_knows_its_index_when_it_is_opened_again(indexed: tuple[EdgeIndex, Path]) -> None:
    index, folder = indexed
    with closing(EdgeStore(folder)) as store:
        archive = store.open(binding())
        assert archive.index is index
        assert not archive.always_exact
        assert archive.count() == ITEMS


def test_an_exact_search_of_an_indexed_archive_is_exact(
    indexed: tuple[EdgeIndex, Path], items: list[StoredItem]
) -> None:
    with closing(EdgeStore(indexed[1])) as store:
        archive = store.open(binding())
        for query in embeddings(items)[:20]:
            assert answers(archive, query, exact=True) == nearest(items, query)


def test_an_approximate_search_finds_nearly_all_and_scores_by_the_embeddings_themselves(
    indexed: tuple[EdgeIndex, Path], items: list[StoredItem]
) -> None:
    with closing(EdgeStore(indexed[1])) as store:
        archive = store.open(binding())
        found = 0
        for query in embeddings(items)[:20]:
            found += len(set(answers(archive, query, exact=False)) & set(nearest(items, query)))
            assert archive.query(query, top_k=1)[0].score == pytest.approx(1.0, abs=1e-5)
        assert found >= 0.9 * 20 * TOP_K


def test_items_stored_after_the_index_was_made_are_found(indexed: tuple[EdgeIndex, Path]) -> None:
    random = np.random.default_rng(8)
    vector = random.normal(size=SIZE).astype(np.float32)
    vector /= np.linalg.norm(vector)
    late = StoredItem("5e1f0000-0000-4000-8000-000000000001", random_items(random, 1)[0].payload, vector)
    with closing(EdgeStore(indexed[1])) as store:
        archive = store.open(binding())
        archive.upsert([late])
        assert archive.query(vector, top_k=1)[0].item == late.item
        archive.delete([late.item])


def test_a_new_archive_is_flat_whatever_would_be_made_beside_it(tmp_path: Path) -> None:
    with closing(EdgeStore(tmp_path, index=EdgeIndex.HNSW)) as store:
        assert store.create(binding()).always_exact


def test_what_was_made_beside_goes_with_the_archive_and_with_the_process_that_owned_it(tmp_path: Path) -> None:
    with closing(EdgeStore(tmp_path, index=EdgeIndex.HNSW)) as store:
        store.create(binding())
        store.create_beside(binding()).close()
        store.drop(binding().archive, binding().creation)
        for use in (store.open_beside, store.take_beside):
            with pytest.raises(ArchiveNotFoundError):
                use(binding())
        store.create(binding())
        store.create_beside(binding()).close()
    with closing(EdgeStore(tmp_path, index=EdgeIndex.HNSW)) as store:
        assert store.open(binding()).always_exact
        with pytest.raises(ArchiveNotFoundError):
            store.open_beside(binding())
