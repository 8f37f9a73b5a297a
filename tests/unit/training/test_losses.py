"""The losses against slow loops over their published formulas."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from xmirad.training.losses import make_loss
from xmirad.training.recipe import LossRecipe

LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 2]


def embeddings(seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(9, 6, generator=torch.Generator().manual_seed(seed)), dim=1)


def loss_of(recipe: LossRecipe, vectors: torch.Tensor) -> float:
    return float(make_loss(recipe, classes=3, embedding_size=6)(vectors, torch.tensor(LABELS)))


def distances(vectors: torch.Tensor) -> list[list[float]]:
    rows = vectors.double().numpy()
    return [[float(np.linalg.norm(a - b)) for b in rows] for a in rows]


def test_triplets_of_a_whole_batch_are_averaged_over_those_with_a_loss() -> None:
    far = distances(embeddings())
    losses = [
        0.2 + far[a][p] - far[a][n]
        for a in range(9)
        for p in range(9)
        for n in range(9)
        if a != p and LABELS[a] == LABELS[p] and LABELS[a] != LABELS[n]
    ]
    positive = [loss for loss in losses if loss > 0]
    assert 0 < len(positive) < len(losses)
    assert loss_of(LossRecipe(), embeddings()) == pytest.approx(np.mean(positive), rel=1e-5)


def test_the_hard_triplet_of_an_anchor_has_its_farthest_positive_and_nearest_negative() -> None:
    far = distances(embeddings())
    losses = []
    for a in range(9):
        farthest = max(far[a][p] for p in range(9) if p != a and LABELS[p] == LABELS[a])
        nearest = min(far[a][n] for n in range(9) if LABELS[n] != LABELS[a])
        losses.append(0.2 + farthest - nearest)
    positive = [loss for loss in losses if loss > 0]
    assert loss_of(LossRecipe(triplets="hard"), embeddings()) == pytest.approx(np.mean(positive), rel=1e-5)


def test_the_supervised_contrastive_loss_is_that_of_khosla_et_al() -> None:
    scores = (embeddings() @ embeddings().T).double().numpy() / 0.1
    anchors = []
    for a in range(9):
        others = [i for i in range(9) if i != a]
        whole = math.log(sum(math.exp(scores[a][i]) for i in others))
        positives = [i for i in others if LABELS[i] == LABELS[a]]
        anchors.append(-np.mean([scores[a][p] - whole for p in positives]))
    assert loss_of(LossRecipe(kind="supervised-contrastive"), embeddings()) == pytest.approx(np.mean(anchors), rel=1e-4)


@pytest.mark.parametrize("kind", ["triplet", "multi-similarity", "supervised-contrastive", "proxy-anchor"])
def test_every_loss_can_be_brought_down_by_moving_embeddings(kind: str) -> None:
    torch.manual_seed(0)
    loss = make_loss(LossRecipe.model_validate({"kind": kind}), classes=3, embedding_size=6)
    free = embeddings(3).clone().requires_grad_(True)
    optimizer = torch.optim.Adam([free, *loss.parameters()], lr=0.05)
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        value = loss(normalize(free, dim=1), torch.tensor(LABELS))
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.5 * values[0]


def test_proxy_anchor_has_a_proxy_for_every_class() -> None:
    loss = make_loss(LossRecipe(kind="proxy-anchor"), classes=3, embedding_size=6)
    assert [tuple(parameter.shape) for parameter in loss.parameters()] == [(3, 6)]
