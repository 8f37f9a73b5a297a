"""The network through torch, for workers with a GPU and as the oracle of the exported graph."""

import torch
from safetensors.torch import load_file

from xmirad.errors import InvalidRequestError
from xmirad.models.artifact import WEIGHTS, ModelArtifact
from xmirad.models.building.architectures import RECIPES, PooledNetwork
from xmirad.models.building.state_dicts import load_trunk
from xmirad.types import Float32Array

IMAGES_AT_ONCE = 4


class TorchBackbone:
    """A model's weights in torch's own network."""

    def __init__(self, artifact: ModelArtifact, *, device: str = "cpu") -> None:
        """Load the weights.

        Args:
            artifact: The model.
            device: Device in torch's notation, such as `cpu` or `cuda:0`.

        Raises:
            InvalidRequestError: If there is no such device.
            ModelCorruptError: If a file was altered.
        """
        self._device = usable_device(device)
        artifact.verify_files()
        recipe = RECIPES[artifact.architecture]
        trunk = recipe.make()
        tensors = load_file(artifact.path / WEIGHTS)
        backbone = {
            key.removeprefix("backbone."): value for key, value in tensors.items() if key.startswith("backbone.")
        }
        load_trunk(trunk, recipe, backbone, field="weights")
        self._network = PooledNetwork(trunk).eval().requires_grad_(False).to(self._device)

    @property
    def device(self) -> str:
        """Where the network runs, in torch's notation."""
        return str(self._device)

    @property
    def at_once(self) -> int:
        """How many images it pays to bring in one call; what fits any GPU."""
        return IMAGES_AT_ONCE

    def activations(self, normalized: Float32Array) -> Float32Array:
        """Return the output of the last convolution; see `Backbone.activations`."""
        return self._forward(normalized)[0]

    def pooled(self, normalized: Float32Array, *, waited_for: bool = False) -> Float32Array:
        """Return the pooled features; see `Backbone.pooled`."""
        return self._forward(normalized)[1]

    def _forward(self, normalized: Float32Array) -> tuple[Float32Array, Float32Array]:
        with torch.inference_mode():
            activations, pooled = self._network(torch.from_numpy(normalized).to(self._device))
        return activations.cpu().numpy(), pooled.cpu().numpy()


def usable_device(name: str, *, field: str = "explanations.device") -> torch.device:
    """Return a device after a first tensor on it; TF32, which would cost three digits, is switched off.

    Args:
        name: Device in torch's notation.
        field: Field to name in errors.

    Raises:
        InvalidRequestError: If torch cannot use it.
    """
    torch.backends.cudnn.allow_tf32 = False
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        message = f"torch cannot use the device {name}"
        raise InvalidRequestError(message, field=field, metadata={"device": name}) from error
    return device
