"""The networks up to their last convolution, with the recipes their weights expect."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import timm
import torch
from torch import nn
from torchvision import models

from xmirad.imaging.preprocessing import EFFICIENTNET_LITE, IMAGENET, Preprocessing
from xmirad.models.definition import Architecture, OutputDefinition


@dataclass(frozen=True, slots=True)
class ArchitectureRecipe:
    """How a network is made and used.

    Attributes:
        make: Makes the network up to its last convolution, with the parameter names of its library.
        classifier: Prefix of the classifier's parameters, which are left out.
        preprocessing: From decoded image to input.
        output: From the last convolution to the embedding.
        source: Where the definition of the network comes from, in words.
    """

    make: Callable[[], nn.Module]
    classifier: str
    preprocessing: Preprocessing
    output: OutputDefinition
    source: str


def _efficientnet_lite0() -> nn.Module:
    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0, global_pool="")
    return network


def _densenet121() -> nn.Module:
    # The ReLU after the last norm belongs to the published method; without it activations may be negative.
    features = models.densenet121(weights=None).features
    return nn.Sequential(OrderedDict(features=features, relu=nn.ReLU()))


def _resnet(make: Callable[..., nn.Module]) -> nn.Module:
    parts = OrderedDict(make(weights=None).named_children())
    del parts["avgpool"], parts["fc"]
    return nn.Sequential(parts)


RECIPES = {
    Architecture.EFFICIENTNET_LITE0: ArchitectureRecipe(
        make=_efficientnet_lite0,
        classifier="classifier.",
        preprocessing=EFFICIENTNET_LITE,
        output=OutputDefinition(layer="ReLU6 after bn2", channels=1280),
        source="timm tf_efficientnet_lite0",
    ),
    Architecture.DENSENET121: ArchitectureRecipe(
        make=_densenet121,
        classifier="classifier.",
        preprocessing=IMAGENET,
        output=OutputDefinition(layer="ReLU after norm5", channels=1024),
        source="torchvision densenet121",
    ),
    Architecture.RESNET50: ArchitectureRecipe(
        make=lambda: _resnet(models.resnet50),
        classifier="fc.",
        preprocessing=IMAGENET,
        output=OutputDefinition(layer="layer4", channels=2048),
        source="torchvision resnet50",
    ),
    Architecture.RESNET18: ArchitectureRecipe(
        make=lambda: _resnet(models.resnet18),
        classifier="fc.",
        preprocessing=IMAGENET,
        output=OutputDefinition(layer="layer4", channels=512),
        source="torchvision resnet18",
    ),
}


class PooledNetwork(nn.Module):
    """A network that returns its last convolution's activations and their averages over height and width."""

    def __init__(self, trunk: nn.Module) -> None:
        """Keep the network up to its last convolution."""
        super().__init__()
        self.trunk = trunk

    def forward(self, normalized: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return activations `[N, C, h, w]` and pooled features `[N, C]` for `[N, 3, S, S]`."""
        activations = self.trunk(normalized)
        return activations, activations.mean(dim=(2, 3))
