"""What to build, checked before anything heavy is imported."""

import re
from dataclasses import dataclass
from pathlib import Path

from xmirad.errors import InvalidRequestError
from xmirad.models.definition import MODEL_NAME, Architecture, TrainingImages

IMAGENET_SUFFIX = "-imagenet"
WITH_PACKAGED_WEIGHTS = {f"{Architecture.EFFICIENTNET_LITE0.value}{IMAGENET_SUFFIX}": Architecture.EFFICIENTNET_LITE0}
MAX_HEAD_SIZE = 65_536
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """How weights came about, kept with the model.

    Attributes:
        document: Recipe, data and curves, as a JSON document.
        section: The same for people: a section of the model card, in Markdown.
        images: Digests of the images that had a part in it.
    """

    document: str
    section: str
    images: TrainingImages


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A model to build.

    Attributes:
        model: `efficientnet-lite0-imagenet`, or an architecture for other weights.
        state_dict: Weights, in a `.safetensors` file or one written by `torch.save`.
        random_weights: True for weights drawn from the seed.
        seed: Seed of random weights and of a random head.
        head: File with the weights of a linear head.
        head_size: Size of a linear head with random weights.
        save_as: Short name of the model, or an empty string for the usual one.
        training_data: What the weights were trained on, for the model card.
        license: License of the weights, for the model card.
        fine_tuned: Whether the trunk's weights were trained for labels of images like those that are searched.
        training: How the weights came about, where this software trained them.
    """

    model: str
    state_dict: Path | None = None
    random_weights: bool = False
    seed: int = 0
    head: Path | None = None
    head_size: int | None = None
    save_as: str = ""
    training_data: str = ""
    license: str = ""
    fine_tuned: bool = False
    training: TrainingRecord | None = None

    def __post_init__(self) -> None:
        """Refuse combinations that make no sense.

        Raises:
            InvalidRequestError: Naming the field at fault.
        """
        self._check_model()
        self._check_weights()
        self._check_head()
        if not 0 <= self.seed <= MAX_SEED:
            raise InvalidRequestError(f"seed must be 0 to {MAX_SEED}", field="seed", metadata={"max": str(MAX_SEED)})
        if not re.fullmatch(MODEL_NAME, self.name):
            raise InvalidRequestError("save_as must be 1 to 63 characters of a-z, 0-9, . and -", field="save_as")

    @property
    def packaged(self) -> bool:
        """True if the weights come from an installed package."""
        return self.model in WITH_PACKAGED_WEIGHTS

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return WITH_PACKAGED_WEIGHTS.get(self.model) or Architecture(self.model)

    @property
    def name(self) -> str:
        """Short name of the model: `densenet121-random-seed0`, `resnet50-custom-head256`."""
        return self.save_as or "-".join([self._weights_name(), *self._head_name()])

    def _weights_name(self) -> str:
        if self.random_weights:
            return f"{self.architecture.value}-random-seed{self.seed}"
        return self.model if self.packaged else f"{self.architecture.value}-custom"

    def _head_name(self) -> list[str]:
        if self.head:
            return ["head"]
        if self.head_size is None:
            return []
        return [f"head{self.head_size}"] if self.random_weights else [f"head{self.head_size}-seed{self.seed}"]

    def _check_model(self) -> None:
        known = [*WITH_PACKAGED_WEIGHTS, *(architecture.value for architecture in Architecture)]
        if self.model not in known:
            listed = ", ".join(known)
            message = f"there is no recipe for {self.model!r}; known: {listed}"
            raise InvalidRequestError(message, field="model", metadata={"model": self.model, "known": listed})

    def _check_weights(self) -> None:
        if self.packaged and (self.state_dict or self.random_weights):
            field = "state_dict" if self.state_dict else "random_weights"
            message = f"{self.model} has weights of its own; for others build {self.architecture.value!r}"
            raise InvalidRequestError(message, field=field)
        if self.state_dict and self.random_weights:
            raise InvalidRequestError("give a state dict or ask for random weights, not both", field="random_weights")
        if self.fine_tuned and not self.state_dict:
            raise InvalidRequestError("fine_tuned is for weights of a state dict", field="fine_tuned")
        if not (self.packaged or self.state_dict or self.random_weights):
            message = f"{self.model} comes without weights: give a state dict or ask for random weights"
            raise InvalidRequestError(message, field="state_dict")

    def _check_head(self) -> None:
        if self.head and self.head_size is not None:
            raise InvalidRequestError("give a head or the size of a random one, not both", field="head_size")
        if self.head_size is not None and not 0 < self.head_size <= MAX_HEAD_SIZE:
            message = f"head_size must be 1 to {MAX_HEAD_SIZE}"
            raise InvalidRequestError(message, field="head_size", metadata={"max": str(MAX_HEAD_SIZE)})
