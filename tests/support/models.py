"""Models for tests: real ones, built once into a folder that is kept, and made-up ones that no engine can run."""

import os
from functools import cache
from pathlib import Path

from xmirad.imaging.preprocessing import IMAGENET, Preprocessing
from xmirad.models.artifact import CARD, FILES, WEIGHTS, ModelArtifact, file_digest, read_artifact, write_document
from xmirad.models.building import build_model
from xmirad.models.definition import Architecture, HeadDefinition, ModelDefinition, OutputDefinition
from xmirad.models.registry import ModelRegistry

MODELS_VARIABLE = "XMIRAD_TEST_MODELS"
REPOSITORY = Path(__file__).parents[2]
LITE0 = "efficientnet-lite0-imagenet"


def models_dir() -> Path:
    """Return the folder of built models: `XMIRAD_TEST_MODELS`, else `build/models`, where `make` puts them."""
    return Path(os.environ.get(MODELS_VARIABLE) or REPOSITORY / "build" / "models")


@cache
def lite0_artifact() -> ModelArtifact:
    """Return EfficientNet-Lite0 with ImageNet weights; it is built if it is not there (5 seconds)."""
    known = [artifact for artifact in ModelRegistry(models_dir()).list() if artifact.name == LITE0]
    return known[0] if known else build_model(LITE0, models_dir())


@cache
def random_artifact(architecture: str, *, seed: int = 0, head_size: int | None = None) -> ModelArtifact:
    """Return a network with random weights; it is built if it is not there (2 to 6 seconds)."""
    name = f"{architecture}-random-seed{seed}" + (f"-head{head_size}" if head_size else "")
    known = [artifact for artifact in ModelRegistry(models_dir()).list() if artifact.name == name]
    if known:
        return known[0]
    return build_model(architecture, models_dir(), random_weights=True, seed=seed, head_size=head_size)


def made_up_model(
    folder: Path,
    *,
    name: str = "made-up",
    channels: int = 4,
    head_size: int | None = None,
    recipe: Preprocessing = IMAGENET,
) -> ModelArtifact:
    """Write a model whose files hold nothing of use, but agree with its `model.json`.

    Args:
        folder: Folder of models.
        name: Short name; models of different names have different digests.
        channels: Number of pooled features.
        head_size: Size of the head that is declared, or None.
        recipe: The preprocessing.
    """
    staged = folder / f".{name}"
    staged.mkdir(parents=True)
    for file in FILES:
        (staged / file).write_text(f"{file} of {name}", encoding="utf-8")
    (staged / CARD).write_text(f"# {name}\n", encoding="utf-8")
    definition = ModelDefinition(
        architecture=Architecture.RESNET18,
        weights=file_digest(staged / WEIGHTS),
        preprocessing=recipe,
        head=HeadDefinition(size=head_size) if head_size else None,
        output=OutputDefinition(layer="layer4", channels=channels),
    )
    size = head_size or channels
    document = {
        "name": name,
        "digest": definition.digest,
        "definition": definition.model_dump(mode="json"),
        "training_data": "none",
        "license": "Apache-2.0",
        "canonical": {"image": 0, "embedding": [size**-0.5] * size},
    }
    write_document(staged, document)
    return read_artifact(staged.rename(folder / definition.digest))
