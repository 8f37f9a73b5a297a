"""The optimizer, and the learning rate of every step."""

import math

import torch
from torch import nn

from xmirad.training.network import MetricNetwork
from xmirad.training.recipe import OptimizerRecipe


def make_optimizer(recipe: OptimizerRecipe, network: MetricNetwork, loss: nn.Module) -> torch.optim.Optimizer:
    """Return Adam, or AdamW where weights decay; each group keeps its full rate under `full_rate`."""
    head_rate = recipe.head_learning_rate or recipe.learning_rate
    newly_made = [*(network.head.parameters() if network.head else ()), *loss.parameters()]
    groups = [
        {"params": list(network.trunk.parameters()), "lr": recipe.learning_rate, "full_rate": recipe.learning_rate},
        {"params": newly_made, "lr": head_rate, "full_rate": head_rate},
    ]
    used = [group for group in groups if group["params"]]
    if recipe.weight_decay:
        return torch.optim.AdamW(used, weight_decay=recipe.weight_decay)
    return torch.optim.Adam(used)


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
