from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from support.archive_oracle import EMBEDDING_SIZE, binding_of, random_items, smooth_embedding
from support.memory_archive import MemoryArchive
from xmirad.archive.feedback import Judgments, feedback_embedding, moved_query
from xmirad.archive.port import StoredItem
from xmirad.errors import InvalidRequestError, ItemNotFoundError
from xmirad.types import Float32Array


class CountingArchive(MemoryArchive):
    """Counts how often items are read."""

    reads = 0

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        self.reads += 1
        return super().get(items, with_embedding=with_embedding)


def vectors(count: int, seed: int = 0) -> Float32Array:
    random = np.random.default_rng(seed)
    rows = [smooth_embedding(random) for _ in range(count)]
    return np.array(rows, dtype=np.float32).reshape(count, EMBEDDING_SIZE)


def slow_feedback(query: Float32Array, positives: Float32Array, negatives: Float32Array) -> list[float]:
    moved = [float(each) for each in query]
    for at in range(len(moved)):
        if len(positives):
            moved[at] += sum(float(row[at]) for row in positives) / len(positives)
        if len(negatives):
            moved[at] -= 0.5 * sum(float(row[at]) for row in negatives) / len(negatives)
    length = sum(each * each for each in moved) ** 0.5
    return [each / length for each in moved]


@pytest.mark.parametrize(("positives", "negatives"), [(1, 0), (0, 1), (3, 2), (7, 0), (0, 5)])
def test_the_moved_query_equals_the_slow_oracle(positives: int, negatives: int) -> None:
    query, liked, disliked = vectors(1)[0], vectors(positives, 1), vectors(negatives, 2)
    moved = feedback_embedding(query, liked, disliked)
    assert moved.dtype == np.float32
    assert moved.tolist() == pytest.approx(slow_feedback(query, liked, disliked), abs=1e-6)
    assert np.linalg.norm(moved) == pytest.approx(1.0, abs=1e-6)


def test_the_query_moves_towards_what_is_liked_and_away_from_what_is_not() -> None:
    query, liked, disliked = vectors(1)[0], vectors(1, 1), vectors(1, 2)
    assert feedback_embedding(query, liked, vectors(0)) @ liked[0] > query @ liked[0]
    assert feedback_embedding(query, vectors(0), disliked) @ disliked[0] < query @ disliked[0]


def test_what_cancels_out_is_refused() -> None:
    query = vectors(1)[0]
    with pytest.raises(InvalidRequestError, match="cancel"):
        feedback_embedding(query, -query[None], vectors(0))


def test_all_items_are_read_in_one_batch() -> None:
    items = [replace(item, payload=replace(item.payload, site="local")) for item in _items()]
    archive = CountingArchive(binding_of(), items)
    judged = Judgments((items[0].item, items[1].item), (items[2].item,))
    query = vectors(1)[0] * np.float32(3)
    moved = moved_query(archive, query, judged, site="local")
    stored = np.array([item.embedding for item in items[:3]])
    assert moved.tolist() == pytest.approx(slow_feedback(query / np.float32(3), stored[:2], stored[2:]), abs=1e-6)
    assert archive.reads == 1


def test_an_item_that_is_not_there_or_another_sites_is_named_with_its_field() -> None:
    items = _items()
    elsewhere = replace(items[0], payload=replace(items[0].payload, site="elsewhere"))
    archive = MemoryArchive(binding_of(), [elsewhere])
    for item in (elsewhere.item, items[1].item):
        with pytest.raises(ItemNotFoundError) as caught:
            moved_query(archive, vectors(1)[0], Judgments((), (item,)), site="local")
        assert caught.value.field == "feedback.negative_items"
        assert caught.value.metadata == {"item": f"archives/covidx/items/{item}"}


def test_a_query_of_another_size_is_refused() -> None:
    items = [replace(item, payload=replace(item.payload, site="local")) for item in _items()]
    archive = MemoryArchive(binding_of(), items)
    with pytest.raises(InvalidRequestError, match="16 values"):
        moved_query(archive, np.ones(3, np.float32), Judgments((items[0].item,), ()), site="local")


def _items() -> list[StoredItem]:
    return random_items(np.random.default_rng(3), 5, smooth=True)
