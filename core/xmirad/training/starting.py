"""The network that training starts from."""

from pathlib import Path

import torch
from torch import nn

from xmirad.models.building.architectures import RECIPES, ArchitectureRecipe
from xmirad.models.building.request import WITH_PACKAGED_WEIGHTS, BuildRequest
from xmirad.models.building.weights import make_trunk, training_data
from xmirad.training.network import MetricNetwork
from xmirad.training.recipe import TrainingRecipe


class Start:
    """The weights to start from: an installed package's, a file's, or random ones."""

    def __init__(self, recipe: TrainingRecipe, state_dict: Path | None) -> None:
        """Check what is asked for.

        Raises:
            InvalidRequestError: If there is no such start, or it has weights of its own beside those of a file.
        """
        is_packaged = recipe.start in WITH_PACKAGED_WEIGHTS
        self._request = BuildRequest(
            model=recipe.start,
            state_dict=state_dict,
            random_weights=state_dict is None and not is_packaged,
            seed=recipe.seed,
        )
        self._head_size = recipe.head_size

    @property
    def architecture(self) -> ArchitectureRecipe:
        """The network's recipe."""
        return RECIPES[self._request.architecture]

    @property
    def architecture_name(self) -> str:
        """The network's name."""
        return self._request.architecture.value

    @property
    def embedding_size(self) -> int:
        """Length of an embedding."""
        return self._head_size or self.architecture.output.channels

    @property
    def description(self) -> str:
        """What the weights were trained on before, in words."""
        return training_data(self._request)

    def network(self) -> MetricNetwork:
        """Return the network; a new head is drawn from torch's generator.

        Raises:
            InvalidRequestError: If the file's weights are those of another architecture.
        """
        trunk = make_trunk(self._request, self.architecture).requires_grad_(True)
        head = nn.Linear(self.architecture.output.channels, self._head_size) if self._head_size else None
        return MetricNetwork(trunk, head)


def choose_device(name: str) -> torch.device:
    """Return a device by its name in torch's notation; `auto` is the first GPU, if torch can use one, else the CPU.

    Raises:
        InvalidRequestError: If torch cannot use it.
    """
    from xmirad.models.torch_backbone import usable_device

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    return usable_device(chosen, field="device")
