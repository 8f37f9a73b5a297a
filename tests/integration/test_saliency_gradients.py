"""Attention maps, which are closed formulas in the product, against torch's gradients."""

import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from support.saliency import unit
from xmirad.models.embedder import LinearHead
from xmirad.saliency.activation import Activation
from xmirad.saliency.attention import Attention, AttentionForm
from xmirad.saliency.method import Evidence, ExplainedImage
from xmirad.types import Float32Array

CHANNELS, SIZE = 96, 224
GENERATOR = np.random.default_rng(0)
HEAD = LinearHead(
    weight=(GENERATOR.standard_normal((40, CHANNELS)) / 10).astype(np.float32),
    bias=GENERATOR.standard_normal(40).astype(np.float32),
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def features_of(activations: torch.Tensor, head: LinearHead | None) -> torch.Tensor:
    pooled = functional.adaptive_avg_pool2d(activations[None], 1).flatten(1)[0]
    if head is None:
        return pooled
    return functional.linear(pooled, torch.from_numpy(head.weight), torch.from_numpy(head.bias))


def images(head: LinearHead | None) -> list[Evidence]:
    """Return query, positive and two negatives."""
    every = np.maximum(0, GENERATOR.standard_normal((4, CHANNELS, 7, 7))).astype(np.float32)
    embeddings = [unit(features_of(torch.from_numpy(each), head).numpy()) for each in every]
    return [Evidence(embedding, activations=each) for embedding, each in zip(embeddings, every, strict=True)]


def published_weights(form: AttentionForm, embeddings: list[Float32Array]) -> torch.Tensor:
    """Return the product over rows of differences from the anchor, the first turned around if it is of a positive."""
    stacked = functional.normalize(torch.from_numpy(np.stack(embeddings)))
    rows = (stacked[0] - stacked[1:]).abs()
    if form is not AttentionForm.SIAMESE_NEGATIVE:
        rows[0] = 1 - rows[0]
    return rows.prod(dim=0)


def published_map(evidence: Evidence, weights: torch.Tensor, head: LinearHead | None) -> np.ndarray:
    activations = torch.from_numpy(evidence.activations).requires_grad_()
    (features_of(activations, head).abs() @ weights).backward()  # type: ignore[no-untyped-call]
    assert activations.grad is not None
    slopes = activations.grad.mean(dim=(1, 2))
    coarse = functional.relu((slopes[:, None, None] * activations.detach()).sum(dim=0))
    large = functional.interpolate(coarse[None, None], size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    return np.asarray(large[0, 0])


@pytest.mark.parametrize("head", [None, HEAD], ids=["pooled", "head"])
@pytest.mark.parametrize(
    ("form", "positives", "negatives"),
    [
        (AttentionForm.SIAMESE_POSITIVE, [1], []),
        (AttentionForm.SIAMESE_NEGATIVE, [], [1]),
        (AttentionForm.TRIPLET, [1], [2]),
        (AttentionForm.QUADRUPLET, [1], [2, 3]),
    ],
)
def test_attention_equals_torchs_gradients(
    form: AttentionForm, positives: list[int], negatives: list[int], head: LinearHead | None
) -> None:
    known = images(head)
    method = Attention(
        form,
        positives=[known[index].embedding for index in positives],
        negatives=[known[index].embedding for index in negatives],
        size=SIZE,
        head=head,
    )
    compared = [*positives, *negatives]
    weights = published_weights(form, [known[index].embedding for index in (0, *compared)])

    for result in compared:
        maps = method.explain(known[0], known[result], explained_image=ExplainedImage.BOTH)
        for saliency, explained in zip(maps, (known[0], known[result]), strict=True):
            expected = published_map(explained, weights, head)
            difference = np.abs(saliency.values - expected).max() / expected.max()
            print(f"{form}: {difference:.1e} of the maximum")
            assert difference <= 1e-5


def test_enlarging_equals_torchs() -> None:
    query, result = images(None)[:2]
    assert query.activations is not None
    (saliency,) = Activation(size=SIZE, signed=True).explain(query, result, explained_image=ExplainedImage.QUERY)
    length = np.linalg.norm(query.activations.mean(axis=(1, 2)))
    coarse = np.einsum("chw,c->hw", query.activations, result.embedding) / (49 * length)
    large = functional.interpolate(torch.from_numpy(coarse)[None, None], size=SIZE, mode="bilinear")
    np.testing.assert_allclose(saliency.values, large[0, 0], atol=1e-6 * coarse.max())
