"""The network as it is trained: trunk, optional head, unit embeddings."""

import torch
from torch import nn
from torch.nn.functional import normalize


class MetricNetwork(nn.Module):
    """A trunk up to its last convolution, average pooling, an optional linear head and the L2 norm."""

    def __init__(self, trunk: nn.Module, head: nn.Linear | None) -> None:
        """Keep the parts; a checkpoint names their parameters `trunk.…` and `head.…`."""
        super().__init__()
        self.trunk = trunk
        self.head = head

    def forward(self, normalized: torch.Tensor) -> torch.Tensor:
        """Return unit embeddings, `[N, D]`, for `[N, 3, S, S]`."""
        features = self.trunk(normalized).mean(dim=(2, 3))
        if self.head is not None:
            features = self.head(features)
        return normalize(features, dim=1)

    def prepare_for_epoch(self, *, frozen: bool, fixed_statistics: bool) -> None:
        """Set what learns.

        Args:
            frozen: Only the head does; the trunk's statistics stay too.
            fixed_statistics: The trunk's batch normalization keeps its statistics.
        """
        self.train()
        self.trunk.requires_grad_(not frozen)
        if frozen:
            self.trunk.eval()
        elif fixed_statistics:
            for module in self.trunk.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
