import numpy as np
import pytest

from xmirad.archive.embeddings import UNIT_TOLERANCE, query_embedding, stored_embeddings
from xmirad.archive.port import ItemPayload, StoredItem
from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.types import Float32Array, ItemAttributes

PAYLOAD = ItemPayload("local", "i", ItemAttributes(), "p", patient_known=True)


def unit(size: int, seed: int = 0) -> Float32Array:
    values = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    normalized: Float32Array = values / np.linalg.norm(values)
    return normalized


def stored(embedding: Float32Array, name: str = "item") -> StoredItem:
    return StoredItem(name, PAYLOAD, embedding)


@pytest.mark.parametrize("size", [1, 64, 1024, 4096])
def test_rounding_never_makes_a_unit_vector_refused(size: int) -> None:
    items = [stored(unit(size, seed)) for seed in range(20)]
    assert stored_embeddings(items, size).shape == (20, size)


def test_a_length_beyond_the_tolerance_is_refused_on_either_side() -> None:
    for factor in (1 + 3 * UNIT_TOLERANCE, 1 - 3 * UNIT_TOLERANCE):
        with pytest.raises(EmbeddingCorruptError):
            stored_embeddings([stored(unit(64) * np.float32(factor))], 64)


def test_the_first_embedding_at_fault_is_named() -> None:
    bad = unit(8)
    bad[3] = np.nan
    with pytest.raises(EmbeddingCorruptError) as caught:
        stored_embeddings([stored(unit(8), "good"), stored(bad, "bad"), stored(bad, "worse")], 8)
    assert caught.value.metadata["item"] == "bad"


def test_a_query_is_scaled_to_length_one() -> None:
    scaled = query_embedding(unit(64) * np.float32(7.0), 64, field="embedding.values")
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, unit(64), atol=1e-7)


def test_a_query_that_is_a_stored_embedding_keeps_its_bits() -> None:
    embedding = unit(64)
    assert query_embedding(embedding, 64, field="embedding.values").tobytes() == embedding.tobytes()


def test_very_small_and_very_large_queries_are_scaled_without_overflow() -> None:
    for factor in (1e-30, 1e30):
        scaled = query_embedding(unit(64) * np.float32(factor), 64, field="embedding.values")
        np.testing.assert_allclose(scaled, unit(64), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_query_that_is_not_finite_is_refused_by_field(value: float) -> None:
    embedding = unit(8)
    embedding[0] = value
    with pytest.raises(InvalidRequestError, match="finite") as caught:
        query_embedding(embedding, 8, field="embedding.values")
    assert caught.value.field == "embedding.values"


def test_a_query_of_zeros_or_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="zeros"):
        query_embedding(np.zeros(8, dtype=np.float32), 8, field="f")
    with pytest.raises(InvalidRequestError) as caught:
        query_embedding(unit(7), 8, field="f")
    assert caught.value.metadata == {"embedding_size": "8", "size": "7"}
