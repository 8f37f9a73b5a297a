"""Linear heads: from a file or from a seed."""

import numpy as np
import torch
from torch import Tensor, nn

from xmirad.errors import InvalidRequestError
from xmirad.models.building.request import BuildRequest
from xmirad.models.building.state_dicts import read_tensors
from xmirad.models.embedder import LinearHead

PREFIXES = ("", "head.", "fc.")


def make_head(request: BuildRequest, channels: int) -> LinearHead | None:
    """Return the head that is asked for, or None.

    Args:
        request: What to build.
        channels: Number of pooled features.

    Raises:
        InvalidRequestError: If the file has no head for so many features.
    """
    if request.head:
        return _head_of(read_tensors(request.head, field="head"), channels)
    if request.head_size is None:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        layer = nn.Linear(channels, request.head_size)
    return LinearHead(weight=layer.weight.detach().numpy(), bias=layer.bias.detach().numpy())


def _head_of(tensors: dict[str, Tensor], channels: int) -> LinearHead:
    prefix = next((prefix for prefix in PREFIXES if f"{prefix}weight" in tensors), None)
    if prefix is None:
        raise InvalidRequestError("head must have a tensor `weight`, `head.weight` or `fc.weight`", field="head")
    weight = np.ascontiguousarray(tensors[f"{prefix}weight"].float().numpy())
    bias = tensors[f"{prefix}bias"].float().numpy() if f"{prefix}bias" in tensors else np.zeros(len(weight), np.float32)
    if weight.ndim != 2 or weight.shape[1] != channels or bias.shape != weight.shape[:1]:
        message = f"head must be [D, {channels}] with a bias of [D], not {list(weight.shape)} and {list(bias.shape)}"
        raise InvalidRequestError(message, field="head", metadata={"channels": str(channels)})
    return LinearHead(weight=weight, bias=bias)
