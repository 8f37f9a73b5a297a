"""A moving average of the weights, which generalizes better than the last ones."""

import copy

import torch

from xmirad.training.network import MetricNetwork


class WeightAverage:
    """An exponential moving average of a network; without a decay simply the network itself.

    The decay grows from 0 with the steps, `min(decay, (1 + n) / (10 + n))`, so that the start is soon forgotten. After
    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
    """

    def __init__(self, network: MetricNetwork, decay: float | None) -> None:
        """Begin with the network's weights."""
        self._source = network
        self._decay = decay
        self.network = network if decay is None else copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0; running statistics are averaged, counters copied."""
        if self._decay is None:
            return
        decay = min(self._decay, (1 + step) / (10 + step))
        for mean, value in zip(self.network.state_dict().values(), self._source.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)
