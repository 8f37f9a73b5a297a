"""Models for tests: real ones, built once into a folder that is kept, a toy that runs in no time, and made-up ones."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from xmirad.imaging.preprocessing import IMAGENET, Preprocessing
from xmirad.models.artifact import (
    CARD,
    FILES,
    GRAPH,
    WEIGHTS,
    ModelArtifact,
    file_digest,
    read_artifact,
    write_document,
)
from xmirad.models.building import build_model
from xmirad.models.canonical import generated_image
from xmirad.models.definition import Architecture, HeadDefinition, ModelDefinition, OutputDefinition
from xmirad.models.embedder import unit_rows
from xmirad.models.openvino_backbone import OpenVINOBackbone, openvino
from xmirad.models.registry import ModelRegistry

MODELS_VARIABLE = "XMIRAD_TEST_MODELS"
REPOSITORY = Path(__file__).parents[2]
LITE0 = "efficientnet-lite0-imagenet"
TOY_CHANNELS = 64


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
    size = head_size or channels
    return _finished(
        staged, name=name, channels=channels, head_size=head_size, recipe=recipe, embedding=[size**-0.5] * size
    )


def toy_model(folder: Path) -> ModelArtifact:
    """Write a real network of three small convolutions, with random weights, into a folder of models."""
    staged = folder / ".toy"
    staged.mkdir(parents=True)
    side = IMAGENET.crop_size
    openvino().save_model(_toy_graph(side), staged / GRAPH, compress_to_fp16=False)
    for file in (WEIGHTS, CARD):
        (staged / file).write_text("toy", encoding="utf-8")
    normalized = np.empty((1, 3, side, side), np.float32)
    IMAGENET.normalize(generated_image(0, side), normalized[0])
    pooled = OpenVINOBackbone(staged / GRAPH, input_size=side, threads=1).pooled(normalized)
    embedding = unit_rows(pooled)[0].tolist()
    return _finished(staged, name="toy", channels=TOY_CHANNELS, head_size=None, recipe=IMAGENET, embedding=embedding)


def _toy_graph(side: int) -> Any:  # noqa: ANN401 - OpenVINO carries no types
    ops = openvino().opset13
    image = ops.parameter([1, 3, side, side], np.float32, name="normalized")
    layer, inputs = image, 3
    generator = np.random.default_rng(0)
    for outputs, stride in ((16, 4), (32, 4), (TOY_CHANNELS, 2)):
        weights = generator.normal(0.0, (9 * inputs) ** -0.5, (outputs, inputs, 3, 3)).astype(np.float32)
        bias = generator.normal(0.0, 0.1, (1, outputs, 1, 1)).astype(np.float32)  # a blank image has an embedding too
        layer = ops.relu(ops.add(ops.convolution(layer, weights, [stride, stride], [1, 1], [1, 1], [1, 1]), bias))
        inputs = outputs
    pooled = ops.reduce_mean(layer, np.array([2, 3]), keep_dims=False)
    for output, name in ((layer, "activations"), (pooled, "pooled")):
        output.output(0).get_tensor().set_names({name})
    return openvino().Model([layer, pooled], [image], "toy")


def _finished(
    staged: Path,
    *,
    name: str,
    channels: int,
    head_size: int | None,
    recipe: Preprocessing,
    embedding: list[float],
) -> ModelArtifact:
    """Write the documents of a model whose other files are there, and put it where its digest belongs."""
    (staged / CARD).write_text(f"# {name}\n", encoding="utf-8")
    definition = ModelDefinition(
        architecture=Architecture.RESNET18,
        weights=file_digest(staged / WEIGHTS),
        preprocessing=recipe,
        head=HeadDefinition(size=head_size) if head_size else None,
        output=OutputDefinition(layer="layer4", channels=channels),
    )
    document = {
        "name": name,
        "digest": definition.digest,
        "definition": definition.model_dump(mode="json"),
        "training_data": "none",
        "license": "Apache-2.0",
        "canonical": {"image": 0, "embedding": embedding},
    }
    write_document(staged, document)
    return read_artifact(staged.rename(staged.parent / definition.digest))
