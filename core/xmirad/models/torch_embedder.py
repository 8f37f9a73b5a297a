"""Models on torch, for explainers with a GPU. The one way by which a deployable may come to torch, and only if asked.

torch is imported when the first such model is loaded: a process that runs OpenVINO never has it.
"""

from importlib.util import find_spec

from xmirad.errors import InvalidRequestError
from xmirad.models.artifact import ModelArtifact
from xmirad.models.embedder import BackboneEmbedder, checked_embedder


def require_torch() -> None:
    """Check, without importing it, that torch is installed.

    Raises:
        InvalidRequestError: If it is not.
    """
    if any(find_spec(name) is None for name in ("torch", "torchvision", "timm")):
        message = "explanations.backbone is torch, which is not installed: use the GPU image, or install xmirad[train]"
        raise InvalidRequestError(message, field="explanations.backbone")


def start_torch(device: str) -> None:
    """Import torch and begin to use a device, which takes seconds that no task should be charged with.

    Raises:
        InvalidRequestError: If torch is not installed, or has no such device.
    """
    require_torch()
    from xmirad.models.torch_backbone import usable_device

    usable_device(device)


def load_torch_embedder(artifact: ModelArtifact, *, device: str) -> BackboneEmbedder:
    """Load a model for a device, checking its files and its canonical embedding.

    Args:
        artifact: The model.
        device: Device in torch's notation, such as `cpu` or `cuda:0`.

    Raises:
        InvalidRequestError: If torch is not installed, or has no such device.
        ModelCorruptError: If a file was altered, or the model does not make its canonical embedding.
    """
    require_torch()
    from xmirad.models.torch_backbone import TorchBackbone

    return checked_embedder(artifact, TorchBackbone(artifact, device=device))
