"""What a model is, as data: the content of `model.json`."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from xmirad.ids import canonical_digest
from xmirad.imaging.preprocessing import Preprocessing

MODEL_NAME = r"^[a-z0-9][a-z0-9.-]{0,62}$"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _recipe(value: Any) -> Preprocessing:  # noqa: ANN401 - whatever the JSON has there
    if isinstance(value, Preprocessing):
        return value
    if not isinstance(value, dict):
        raise ValueError("preprocessing must be an object")
    return Preprocessing.from_json(value)


Recipe = Annotated[Preprocessing, PlainValidator(_recipe), PlainSerializer(Preprocessing.to_json)]


class Architecture(StrEnum):
    """The networks that can be built."""

    EFFICIENTNET_LITE0 = "efficientnet-lite0"
    DENSENET121 = "densenet121"
    RESNET50 = "resnet50"
    RESNET18 = "resnet18"


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class OutputDefinition(_Strict):
    """How an embedding is made from the network's last convolution.

    Attributes:
        layer: Layer whose output are the activations, in words.
        channels: Number of channels of the activations.
        pooling: How the activations become one value a channel.
        normalization: Norm that is 1 for every embedding.
    """

    layer: str
    channels: Annotated[int, Field(gt=0)]
    pooling: Literal["average"] = "average"
    normalization: Literal["l2"] = "l2"


class HeadDefinition(_Strict):
    """A linear layer between pooling and normalization; its tensors are `head.weight` and `head.bias`.

    Attributes:
        size: Number of its outputs, which is the embedding size.
    """

    size: Annotated[int, Field(gt=0)]


class ModelDefinition(_Strict):
    """Everything that decides an embedding, and nothing else: the digest is taken of this.

    Attributes:
        architecture: The network.
        weights: SHA-256 of `weights.safetensors`, which holds the head's weights too.
        preprocessing: From decoded image to the network's input.
        head: The linear head, or None.
        output: From the last convolution to the embedding.
    """

    architecture: Architecture
    weights: Sha256
    preprocessing: Recipe
    head: HeadDefinition | None
    output: OutputDefinition

    @property
    def digest(self) -> str:
        """SHA-256 that identifies the model."""
        return canonical_digest(self.model_dump(mode="json"))


class CanonicalVector(_Strict):
    """What the model makes of a generated image, so that any engine on any machine can be checked against it.

    Attributes:
        image: Number of the image, see `xmirad.models.canonical`.
        embedding: Its unit embedding, as float32 values.
    """

    image: Annotated[int, Field(ge=0)]
    embedding: tuple[float, ...]


class ModelDocument(_Strict):
    """The content of `model.json`.

    Attributes:
        format: Version of this layout.
        name: Short name.
        digest: Digest of the definition.
        definition: What the model is.
        training_data: What the weights were trained on.
        license: License of the weights.
        fine_tuned: Whether the trunk was trained for labels of images like those that are searched.
        canonical: Embedding of a generated image.
        files: SHA-256 of every other file of the model, by name.
        checksum: Digest of all of the above.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=MODEL_NAME)]
    digest: Sha256
    definition: ModelDefinition
    training_data: str
    license: str
    fine_tuned: bool = False
    canonical: CanonicalVector
    files: dict[str, Sha256]
    checksum: Sha256


class TrainingImages(_Strict):
    """The content of `training_images.json`: SHA-256 of the images that had a part in training, sorted.

    A digest tells only those who have an image whether it is among them.

    Attributes:
        training: Of those that were trained on.
        validation: Of those that the best epoch was chosen by.
    """

    training: tuple[Sha256, ...] = ()
    validation: tuple[Sha256, ...] = ()


def checksum(document: dict[str, Any]) -> str:
    """Return the checksum of a document given as JSON object; a checksum that it has is left out."""
    return canonical_digest({key: value for key, value in document.items() if key != "checksum"})
