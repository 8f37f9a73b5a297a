"""Building models: the only room, with the torch backbone, that imports torch.

`build_model` is the way in. Importing the package imports no torch; calling it does. Nothing here downloads: weights
come from an installed package, from a file, or from a seed.
"""

from importlib.util import find_spec
from pathlib import Path

from xmirad.errors import InvalidRequestError
from xmirad.models.artifact import ModelArtifact
from xmirad.models.building.request import BuildRequest


def build_model(
    name: str,
    models_dir: Path,
    *,
    state_dict: Path | None = None,
    random_weights: bool = False,
    seed: int = 0,
    head: Path | None = None,
    head_size: int | None = None,
    save_as: str = "",
    training_data: str = "",
    license: str = "",
    fine_tuned: bool = False,
) -> ModelArtifact:
    """Build a model, or return it if it is there already.

    Args:
        name: `efficientnet-lite0-imagenet`, or an architecture for other weights.
        models_dir: Folder that the model's folder is made in.
        state_dict: Weights, in a `.safetensors` file or one written by `torch.save`.
        random_weights: True for weights drawn from the seed.
        seed: Seed of random weights and of a random head.
        head: File with the weights of a linear head.
        head_size: Size of a linear head with random weights.
        save_as: Short name of the model, or an empty string for the usual one.
        training_data: What the weights were trained on, for the model card.
        license: License of the weights, for the model card.
        fine_tuned: Whether weights of a state dict were trained for labels of images like those that are searched.

    Raises:
        InvalidRequestError: If the combination makes no sense, a file cannot be used, or torch is not installed.
        ModelCorruptError: If the exported graph does not agree with torch.
    """
    request = BuildRequest(
        model=name,
        state_dict=state_dict,
        random_weights=random_weights,
        seed=seed,
        head=head,
        head_size=head_size,
        save_as=save_as,
        training_data=training_data,
        license=license,
        fine_tuned=fine_tuned,
    )
    if find_spec("torch") is None:
        raise InvalidRequestError("building models needs torch: install xmirad[train]")
    from xmirad.models.building.build import build

    return build(request, models_dir)
