"""A model on disk: a folder named by its digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from xmirad.errors import ModelCorruptError
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.models.definition import (
    Architecture,
    CanonicalVector,
    HeadDefinition,
    ModelDocument,
    TrainingImages,
    checksum,
)
from xmirad.types import UntrainedFeatures

DOCUMENT = "model.json"
WEIGHTS = "weights.safetensors"
GRAPH = "graph.xml"
GRAPH_WEIGHTS = "graph.bin"
CARD = "MODEL_CARD.md"
TRAINING = "training.json"
TRAINING_IMAGES = "training_images.json"
FILES = frozenset({WEIGHTS, GRAPH, GRAPH_WEIGHTS, CARD})
OPTIONAL_FILES = frozenset({TRAINING, TRAINING_IMAGES})


@dataclass(frozen=True, slots=True)
class ModelArtifact:
    """A model that was built, with what its `model.json` says.

    Attributes:
        path: Folder of the model.
        document: Content of `model.json`, already checked against itself.
    """

    path: Path
    document: ModelDocument

    @property
    def name(self) -> str:
        """Short name."""
        return self.document.name

    @property
    def digest(self) -> str:
        """SHA-256 over architecture, weights, preprocessing, head and output definition, in hexadecimal."""
        return self.document.digest

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return self.document.definition.architecture

    @property
    def embedding_size(self) -> int:
        """Length of an embedding."""
        definition = self.document.definition
        return definition.head.size if definition.head else definition.output.channels

    @property
    def preprocessing(self) -> Preprocessing:
        """From decoded image to the network's input."""
        return self.document.definition.preprocessing

    @property
    def head(self) -> HeadDefinition | None:
        """The linear head, or None where the pooled features are the embedding."""
        return self.document.definition.head

    @property
    def untrained_features(self) -> UntrainedFeatures:
        """Where the model has features that no label has shaped; only in these a distance tells what is unknown."""
        if self.document.fine_tuned:
            return UntrainedFeatures.NONE
        return UntrainedFeatures.POOLED if self.head else UntrainedFeatures.EMBEDDING

    @property
    def training_data(self) -> str:
        """What the weights were trained on."""
        return self.document.training_data

    @property
    def license(self) -> str:
        """License of the weights (SPDX identifier where there is one)."""
        return self.document.license

    @property
    def canonical(self) -> CanonicalVector:
        """What the model makes of a generated image."""
        return self.document.canonical

    @property
    def card(self) -> str:
        """The model card in Markdown.

        Raises:
            ModelCorruptError: If it cannot be read.
        """
        try:
            return (self.path / CARD).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise corrupt(self.digest, f"{CARD} cannot be read") from error

    @property
    def training_images(self) -> TrainingImages:
        """Digests of the images that the model was trained on; none for weights that come from elsewhere.

        Raises:
            ModelCorruptError: If the file that has them cannot be read.
        """
        if TRAINING_IMAGES not in self.document.files:
            return TrainingImages()
        try:
            return TrainingImages.model_validate_json((self.path / TRAINING_IMAGES).read_bytes())
        except (OSError, ValidationError) as error:
            raise corrupt(self.digest, f"{TRAINING_IMAGES} cannot be read") from error

    def verify_files(self) -> None:
        """Compare every file with its SHA-256.

        Raises:
            ModelCorruptError: If a file is missing or differs.
        """
        for name, expected in sorted(self.document.files.items()):
            try:
                actual = file_digest(self.path / name)
            except OSError as error:
                raise corrupt(self.digest, f"{name} cannot be read") from error
            if actual != expected:
                raise corrupt(self.digest, f"{name} does not have its SHA-256")


def read_artifact(folder: Path) -> ModelArtifact:
    """Read a model's document and check it against itself and the folder's name; other files are not opened.

    Raises:
        ModelCorruptError: If the document is missing, malformed or altered, or belongs to another model.
    """
    digest = folder.name
    try:
        data = (folder / DOCUMENT).read_bytes()
        document = ModelDocument.model_validate_json(data)
    except (OSError, ValidationError) as error:
        raise corrupt(digest, f"{DOCUMENT} is missing or malformed") from error
    if document.checksum != checksum(json.loads(data)):
        raise corrupt(digest, f"{DOCUMENT} was altered")
    if not document.digest == document.definition.digest == digest:
        raise corrupt(digest, f"{DOCUMENT} describes another model")
    if set(document.files) - OPTIONAL_FILES != FILES or document.files[WEIGHTS] != document.definition.weights:
        raise corrupt(digest, f"{DOCUMENT} does not list the model's files")
    return ModelArtifact(path=folder, document=document)


def write_document(folder: Path, document: Mapping[str, object]) -> None:
    """Write `model.json`, adding the SHA-256 of the files that are there and the checksum.

    Args:
        folder: Folder that holds all other files.
        document: Fields of `ModelDocument` as JSON, without `files` and `checksum`.
    """
    optional = {name for name in OPTIONAL_FILES if (folder / name).is_file()}
    files = {name: file_digest(folder / name) for name in sorted(FILES | optional)}
    content: dict[str, object] = {"format": 1, **document, "files": files}
    content["checksum"] = checksum(content)
    (folder / DOCUMENT).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def corrupt(digest: str, problem: str) -> ModelCorruptError:
    """Make the error for a model that is not what it should be."""
    return ModelCorruptError(
        f"model {digest[:12]} is corrupt: {problem}", metadata={"model": digest, "problem": problem}
    )
