"""The optimizer, and the learning rate of every step."""

import math

import torch
from torch import nn

from xmirad.training.network import MetricNetwork
from xmirad.training.recipe import OptimizerRecipe


def make_optimizer(recipe: OptimizerRecipe, network: MetricNetwork, loss: nn.Module) -> torch.optim.Optimizer:
    """Return Adam, or AdamW where weights decay; each group keeps its full rate under `full_rate`.

    The loss's own parameters, such as proxies, learn at the head's rate and never decay.
    """
    head_rate = recipe.head_learning_rate or recipe.learning_rate
    parts = [
        (network.trunk, recipe.learning_rate, recipe.weight_decay),
        (network.head, head_rate, recipe.weight_decay),
        (loss, head_rate, 0.0),
    ]
    groups = [
        {"params": list(part.parameters()), "lr": rate, "full_rate": rate, "weight_decay": decay}
        for part, rate, decay in parts
        if part is not None and any(True for _ in part.parameters())
    ]
    return torch.optim.AdamW(groups) if recipe.weight_decay else torch.optim.Adam(groups)


def set_rate(optimizer: torch.optim.Optimizer, recipe: OptimizerRecipe, *, step: int, steps: int) -> float:
    """Set the rate of a step, which depends on its number alone, and return the backbone's.

    Args:
        optimizer: What to set it in.
        recipe: The schedule.
        step: Steps that are done.
        steps: Steps of the whole training.
    """
    share = (step + 1) / (recipe.warmup_steps + 1) if step < recipe.warmup_steps else 1.0
    if recipe.schedule == "cosine":
        share *= (1 + math.cos(math.pi * step / steps)) / 2
    for group in optimizer.param_groups:
        group["lr"] = group["full_rate"] * share
    return recipe.learning_rate * share
