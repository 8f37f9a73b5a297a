import numpy as np
import pytest

from support.saliency import unit
from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.models.embedder import LinearHead
from xmirad.saliency.attention import Attention, AttentionForm
from xmirad.saliency.method import Evidence, ExplainedImage
from xmirad.types import Float32Array

CHANNELS, CELLS = 6, 4
SIZE = CELLS  # enlarging changes nothing then
GENERATOR = np.random.default_rng(0)
HEAD = LinearHead(
    weight=GENERATOR.standard_normal((5, CHANNELS)).astype(np.float32),
    bias=GENERATOR.standard_normal(5).astype(np.float32),
)


def image(seed: int, head: LinearHead | None = None) -> Evidence:
    activations = np.random.default_rng(seed).exponential(size=(CHANNELS, CELLS, CELLS)).astype(np.float32)
    pooled = activations.astype(np.float64).mean(axis=(1, 2))
    features = pooled if head is None else head.weight @ pooled + head.bias
    return Evidence(unit(features), activations=activations)


def method(form: AttentionForm, result: Evidence, head: LinearHead | None = None) -> Attention:
    others = [image(seed, head).embedding for seed in (11, 12)]
    positives: dict[AttentionForm, list[Float32Array]] = {
        AttentionForm.SIAMESE_POSITIVE: [result.embedding],
        AttentionForm.TRIPLET: [result.embedding],
        AttentionForm.QUADRUPLET: [result.embedding],
    }
    negatives = {
        AttentionForm.SIAMESE_NEGATIVE: [result.embedding],
        AttentionForm.TRIPLET: others[:1],
        AttentionForm.QUADRUPLET: others,
    }
    return Attention(form, positives=positives.get(form, []), negatives=negatives.get(form, []), size=SIZE, head=head)


def score(activations: np.ndarray, weights: np.ndarray, head: LinearHead | None) -> float:
    pooled = activations.mean(axis=(1, 2))
    features = pooled if head is None else head.weight.astype(np.float64) @ pooled + head.bias
    return float(weights @ np.abs(features))


def slow_weights(form: AttentionForm, query: Evidence, result: Evidence, head: LinearHead | None) -> np.ndarray:
    a, r = query.embedding.astype(np.float64), result.embedding.astype(np.float64)
    n1, n2 = (image(seed, head).embedding.astype(np.float64) for seed in (11, 12))
    return {
        AttentionForm.SIAMESE_POSITIVE: 1 - np.abs(a - r),
        AttentionForm.SIAMESE_NEGATIVE: np.abs(a - r),
        AttentionForm.TRIPLET: (1 - np.abs(a - r)) * np.abs(a - n1),
        AttentionForm.QUADRUPLET: (1 - np.abs(a - r)) * np.abs(a - n1) * np.abs(a - n2),
    }[form]


def slow_map(explained: Evidence, weights: np.ndarray, head: LinearHead | None) -> np.ndarray:
    """Differentiate by moving one activation after the other; the map of `CELLS` x `CELLS` places."""
    assert explained.activations is not None
    activations = explained.activations.astype(np.float64)
    step, total = 1e-4, np.zeros((CELLS, CELLS))
    for channel in range(CHANNELS):
        slopes = []
        for row in range(CELLS):
            for column in range(CELLS):
                moved = activations.copy()
                moved[channel, row, column] += step
                slopes.append((score(moved, weights, head) - score(activations, weights, head)) / step)
        total += np.mean(slopes) * activations[channel]
    return np.maximum(0, total)


@pytest.mark.parametrize("head", [None, HEAD], ids=["pooled", "head"])
@pytest.mark.parametrize("form", list(AttentionForm))
def test_all_forms_equal_finite_differences_on_both_images(form: AttentionForm, head: LinearHead | None) -> None:
    query, result = image(1, head), image(2, head)
    maps = method(form, result, head).explain(query, result, explained_image=ExplainedImage.BOTH)
    for saliency, explained in zip(maps, (query, result), strict=True):
        expected = slow_map(explained, slow_weights(form, query, result, head), head)
        np.testing.assert_allclose(saliency.values, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("form", "positives", "negatives", "field"),
    [
        (AttentionForm.SIAMESE_POSITIVE, 0, 0, "positive_items"),
        (AttentionForm.SIAMESE_POSITIVE, 1, 1, "negative_items"),
        (AttentionForm.SIAMESE_NEGATIVE, 1, 0, "positive_items"),
        (AttentionForm.TRIPLET, 1, 2, "negative_items"),
        (AttentionForm.QUADRUPLET, 1, 1, "negative_items"),
    ],
)
def test_a_form_takes_its_own_number_of_items(form: AttentionForm, positives: int, negatives: int, field: str) -> None:
    item = image(1).embedding
    with pytest.raises(InvalidRequestError) as refusal:
        Attention(form, positives=[item] * positives, negatives=[item] * negatives, size=SIZE)
    assert refusal.value.field == field


def test_a_result_that_the_query_is_not_compared_with_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        method(AttentionForm.TRIPLET, image(2)).explain(image(1), image(3))
    assert refusal.value.field == "result"


def test_activations_of_another_image_are_refused() -> None:
    mixed = Evidence(image(2).embedding, activations=image(3).activations)
    with pytest.raises(EmbeddingCorruptError):
        method(AttentionForm.SIAMESE_POSITIVE, mixed).explain(image(1), mixed)


def test_only_the_explained_image_needs_activations() -> None:
    query, result = Evidence(image(1).embedding), image(2)
    attention = method(AttentionForm.SIAMESE_POSITIVE, result)
    assert attention.explain(query, result)[0].values.max() > 0
    with pytest.raises(InvalidRequestError) as refusal:
        attention.explain(query, result, explained_image=ExplainedImage.QUERY)
    assert refusal.value.field == "explained_image"
