"""The losses, from pytorch-metric-learning, on unit embeddings."""

import torch
from pytorch_metric_learning import distances, losses, miners
from torch import nn

from xmirad.training.recipe import LossRecipe


class MetricLoss(nn.Module):
    """A loss with the miner that goes with it."""

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None) -> None:
        """Keep both."""
        super().__init__()
        self.loss = loss
        self.miner = miner

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of `[N, D]` unit embeddings with classes `[N]`."""
        pairs = self.miner(embeddings, labels) if self.miner else None
        value: torch.Tensor = self.loss(embeddings, labels, pairs)
        return value


def make_loss(recipe: LossRecipe, *, classes: int, embedding_size: int) -> MetricLoss:
    """Make the loss that a recipe asks for; proxy-anchor has parameters of its own, drawn from torch's generator.

    Args:
        recipe: Which one, and its settings.
        classes: Number of classes.
        embedding_size: Length of an embedding.
    """
    match recipe.kind:
        case "triplet":
            distance = distances.LpDistance(normalize_embeddings=False, p=2)
            miner = miners.BatchHardMiner(distance=distance) if recipe.triplets == "hard" else None
            return MetricLoss(losses.TripletMarginLoss(margin=recipe.margin or 0.2, distance=distance), miner)
        case "multi-similarity":
            loss = losses.MultiSimilarityLoss(alpha=recipe.alpha or 2.0, beta=recipe.beta, base=recipe.base)
            return MetricLoss(loss, miners.MultiSimilarityMiner(epsilon=0.1))
        case "supervised-contrastive":
            return MetricLoss(losses.SupConLoss(temperature=recipe.temperature))
        case "proxy-anchor":
            return MetricLoss(
                losses.ProxyAnchorLoss(classes, embedding_size, margin=recipe.margin or 0.1, alpha=recipe.alpha or 32.0)
            )
