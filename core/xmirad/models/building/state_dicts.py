"""Reading weights from files without running anything that is in them."""

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from xmirad.errors import InvalidRequestError
from xmirad.models.building.architectures import ArchitectureRecipe

WRAPPERS = ("state_dict", "model_state_dict", "model")
COUNTER = "num_batches_tracked"
OLD_DENSENET_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")
SHOWN_KEYS = 5


def read_tensors(path: Path, *, field: str) -> dict[str, Tensor]:
    """Read named tensors from a `.safetensors` file, or from one of `torch.save` with `weights_only=True`.

    A dictionary under the key `state_dict`, `model_state_dict` or `model` is unwrapped, the prefix `module.` that
    DataParallel adds is removed, and floating-point tensors become float32.

    Args:
        path: The file.
        field: Field to name in errors.

    Raises:
        InvalidRequestError: If the file is missing, holds anything but tensors, or a tensor is not finite.
    """
    content = _read(path, field)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InvalidRequestError(f"{field} must hold named tensors and nothing else", field=field)
    tensors = {
        str(key): value.float() if value.is_floating_point() else value
        for key, value in content.items()
        if not str(key).endswith(COUNTER)
    }
    if tensors and all(key.startswith("module.") for key in tensors):
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    for key, value in tensors.items():
        if not torch.isfinite(value).all():
            raise InvalidRequestError(f"{field} has values in {key} that are not finite", field=field)
    return tensors


def _read(path: Path, field: str) -> object:
    if not path.is_file():
        raise InvalidRequestError(f"{field} names a file that does not exist", field=field)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        message = f"{field} holds something else than tensors, or is no file of torch; nothing in it was run"
        raise InvalidRequestError(message, field=field) from error
    except Exception as error:  # a file made up by somebody can fail in any way, in torch as in safetensors
        raise InvalidRequestError(f"{field} cannot be read", field=field) from error
    return content


def load_trunk(trunk: nn.Module, recipe: ArchitectureRecipe, tensors: Mapping[str, Tensor], *, field: str) -> None:
    """Load weights into a network; all must be there, and nothing else but the classifier's, which are left out.

    Args:
        trunk: Network up to its last convolution.
        recipe: The network's recipe.
        tensors: Weights under the names of the network's library.
        field: Field to name in errors.

    Raises:
        InvalidRequestError: Naming keys that are missing or unexpected, or have another shape.
    """
    wanted = {key: value for key, value in trunk.state_dict().items() if not key.endswith(COUNTER)}
    given = {
        OLD_DENSENET_NAME.sub(r"\1\2", key): value
        for key, value in tensors.items()
        if not key.startswith(recipe.classifier)
    }
    problems = {
        "missing": [key for key in wanted if key not in given],
        "unexpected": [key for key in given if key not in wanted],
        "of another shape": [key for key in wanted if key in given and wanted[key].shape != given[key].shape],
    }
    if any(problems.values()):
        listed = "; ".join(f"{kind}: {_shortened(keys)}" for kind, keys in problems.items() if keys)
        raise InvalidRequestError(f"{field} does not fit {recipe.source}: {listed}", field=field)
    with torch.no_grad():
        for key, value in wanted.items():
            value.copy_(given[key])


def _shortened(keys: list[str]) -> str:
    shown = ", ".join(keys[:SHOWN_KEYS])
    return shown if len(keys) <= SHOWN_KEYS else f"{shown} and {len(keys) - SHOWN_KEYS} more"
