"""Building a model from weights to a published folder."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import nn

from xmirad.errors import InvalidRequestError, ModelCorruptError
from xmirad.models.artifact import (
    CARD,
    TRAINING,
    TRAINING_IMAGES,
    WEIGHTS,
    ModelArtifact,
    corrupt,
    read_artifact,
    write_document,
)
from xmirad.models.building.architectures import RECIPES
from xmirad.models.building.card import model_card
from xmirad.models.building.export import PARITY_IMAGES, export_graph, measure_parity
from xmirad.models.building.heads import make_head
from xmirad.models.building.request import BuildRequest
from xmirad.models.building.state_dicts import COUNTER
from xmirad.models.building.weights import license_of, make_trunk, training_data
from xmirad.models.definition import HeadDefinition, ModelDefinition
from xmirad.models.embedder import CANONICAL_TOLERANCE, LinearHead
from xmirad.models.registry import ModelRegistry
from xmirad.models.staging import one_build_at_a_time, publish, staged_folder

logger = logging.getLogger(__name__)


def build(request: BuildRequest, models_dir: Path) -> ModelArtifact:
    """Build a model, or return it if a sound one of its digest is there; the same request gives the same digest.

    Training that came to the weights of a model that is there gets that model, whatever its name: hours are not lost
    over a name.

    Raises:
        InvalidRequestError: If a file of weights cannot be used, or the name or the model is taken.
        ModelCorruptError: If the exported graph does not agree with torch.
    """
    with _one_thread(), one_build_at_a_time(models_dir):
        recipe = RECIPES[request.architecture]
        trunk = make_trunk(request, recipe)
        head = make_head(request, recipe.output.channels)
        weights = save(_tensors(trunk, head))
        definition = ModelDefinition(
            architecture=request.architecture,
            weights=sha256(weights).hexdigest(),
            preprocessing=recipe.preprocessing,
            head=HeadDefinition(size=len(head.bias)) if head else None,
            output=recipe.output,
        )
        return _existing(request, models_dir / definition.digest) or _write(
            request, models_dir, definition, trunk=trunk, head=head, weights=weights
        )


def _existing(request: BuildRequest, folder: Path) -> ModelArtifact | None:
    if not folder.exists():
        _check_name_is_free(request, folder.parent)
        return None
    try:
        artifact = read_artifact(folder)
        artifact.verify_files()
    except ModelCorruptError as error:
        logger.warning("model.rebuilt", extra={"model": folder.name, "problem": error.metadata["problem"]})
        return None
    if artifact.name != request.name and request.training is None:
        message = f"this model is already there under the name {artifact.name!r}"
        raise InvalidRequestError(message, field="save_as", metadata={"name": artifact.name})
    return artifact


def _check_name_is_free(request: BuildRequest, models_dir: Path) -> None:
    for artifact in ModelRegistry(models_dir).list():
        if artifact.name == request.name:
            message = f"another model has the name {request.name!r}; choose one with save_as"
            raise InvalidRequestError(message, field="save_as", metadata={"digest": artifact.digest})


def _write(
    request: BuildRequest,
    models_dir: Path,
    definition: ModelDefinition,
    *,
    trunk: nn.Module,
    head: LinearHead | None,
    weights: bytes,
) -> ModelArtifact:
    target = models_dir / definition.digest
    with staged_folder(models_dir) as folder:
        (folder / WEIGHTS).write_bytes(weights)
        export_graph(trunk, folder, definition.preprocessing.crop_size)
        embeddings, parity = measure_parity(trunk, folder, definition.preprocessing, head)
        if parity > CANONICAL_TOLERANCE:
            raise corrupt(definition.digest, f"the exported graph differs from torch by {parity:.1e}")
        canonical = embeddings[0]
        card = model_card(
            request, definition, embedding_size=len(canonical), parity=parity, tolerance=CANONICAL_TOLERANCE
        )
        (folder / CARD).write_text(card, encoding="utf-8")
        if request.training:
            (folder / TRAINING).write_text(request.training.document, encoding="utf-8")
            (folder / TRAINING_IMAGES).write_text(request.training.images.model_dump_json(), encoding="utf-8")
        document = {
            "name": request.name,
            "digest": definition.digest,
            "definition": definition.model_dump(mode="json"),
            "training_data": training_data(request),
            "license": license_of(request),
            "fine_tuned": request.fine_tuned,
            "canonical": {"image": PARITY_IMAGES[0], "embedding": canonical.tolist()},
        }
        write_document(folder, document)
        publish(folder, target)
    return read_artifact(target)


def _tensors(trunk: nn.Module, head: LinearHead | None) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    tensors = {
        f"backbone.{key}": value.numpy() for key, value in trunk.state_dict().items() if not key.endswith(COUNTER)
    }
    if head:
        tensors |= {"head.weight": head.weight, "head.bias": head.bias}
    return tensors


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: sums then have one order, so random networks come out the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
