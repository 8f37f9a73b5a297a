"""What is trained and how, as data: the content of a recipe file (TOML)."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xmirad.errors import InvalidRequestError
from xmirad.ids import canonical_digest
from xmirad.models.definition import MODEL_NAME
from xmirad.regular_files import read_text_file

PACKAGED = files("xmirad.training") / "recipes"

LOSS_FIELDS = {
    "triplet": {"margin", "triplets"},
    "multi-similarity": {"alpha", "beta", "base"},
    "supervised-contrastive": {"temperature"},
    "proxy-anchor": {"margin", "alpha"},
}

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class ValidationRecipe(_Strict):
    """Which images training is stopped by; none of them is trained on.

    Attributes:
        split: A split of the data set, or an empty string: a share of the training split.
        share: That share, drawn class by class, whole patients where they are known.
    """

    split: str = ""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.15


class BatchRecipe(_Strict):
    """P-K sampling: so many classes with so many images each make a batch.

    Attributes:
        classes: Classes in a batch; None: all.
        images_per_class: Images of each, at least 2.
        steps: Steps an epoch; None: as often as the smallest class gives a batch.
    """

    classes: Annotated[int, Field(ge=2)] | None = None
    images_per_class: Annotated[int, Field(ge=2)] = 16
    steps: Count | None = None


class LossRecipe(_Strict):
    """The loss over a batch's unit embeddings. A field that does not belong to its kind is refused.

    Attributes:
        kind: Triplet (Euclidean); multi-similarity (Wang et al., CVPR 2019); supervised contrastive (Khosla et al.,
            NeurIPS 2020); proxy-anchor (Kim et al., CVPR 2020).
        margin: Of triplets (0.2, as in X-MIR) or of proxy-anchor (0.1).
        triplets: All of a batch, averaged over those with a loss; or the hardest of each anchor.
        temperature: Of the supervised contrastive loss.
        alpha: Of multi-similarity (2) or proxy-anchor (32).
        beta: Of multi-similarity.
        base: Of multi-similarity: the similarity that divides near from far.
    """

    kind: Literal["triplet", "multi-similarity", "supervised-contrastive", "proxy-anchor"] = "triplet"
    margin: Positive | None = None
    triplets: Literal["all", "hard"] = "all"
    temperature: Positive = 0.1
    alpha: Positive | None = None
    beta: Positive = 50.0
    base: float = 0.5

    @model_validator(mode="after")
    def _fields_belong_to_the_kind(self) -> Self:
        foreign = sorted(self.model_fields_set - {"kind"} - LOSS_FIELDS[self.kind])
        if foreign:
            raise ValueError(f"{foreign[0]} is no field of the loss {self.kind}")
        return self


class OptimizerRecipe(_Strict):
    """Adam, with decoupled weight decay where there is any.

    Attributes:
        learning_rate: Of the backbone.
        head_learning_rate: Of the head and of the loss's own parameters; None: the backbone's.
        weight_decay: Decoupled (AdamW); 0 is plain Adam.
        schedule: Constant, or down to zero along a half cosine.
        warmup_steps: Steps in which the rate rises linearly.
    """

    learning_rate: Positive = 1e-4
    head_learning_rate: Positive | None = None
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0


class AugmentationRecipe(_Strict):
    """How a training image is varied; a validation image never is.

    Attributes:
        crop: The recipe's center crop, or a random resized one.
        smallest_area: Smallest share of the image that a random crop shows.
        sizes: Sides of the random crop in pixels, each for an equal part of the epochs; empty: the model's throughout.
            Small images first, full ones at the end, train several times faster (Touvron et al., "Fixing the
            train-test resolution discrepancy", NeurIPS 2019, say why the last ones should be full).
        horizontal_flip: Mirror half of the images. In a chest radiograph this moves the heart to the wrong side.
        vertical_flip: Turn half of the images upside down.
        quarter_turns: Turn each image by none to three right angles, which leaves no empty corner.
        rotation: Largest rotation either way, in degrees; the corners it leaves empty are black.
        brightness: Largest relative change.
        contrast: Largest relative change.
        saturation: Largest relative change.
        hue: Largest shift, as a share of the color circle.
        erasing: Share of the images of which a random rectangle is blanked.
    """

    crop: Literal["center", "random"] = "center"
    smallest_area: Annotated[float, Field(gt=0, le=1)] = 0.5
    sizes: list[Annotated[int, Field(ge=32)]] = []
    horizontal_flip: bool = False
    vertical_flip: bool = False
    quarter_turns: bool = False
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    erasing: Share = 0.0


class TrainingRecipe(_Strict):
    """A whole recipe. Its defaults are those of X-MIR (Hu, Vasu and Hoogs, WACV 2022).

    Attributes:
        name: Short name of the model that comes out.
        license: License of the trained weights, which the data decides, for the model card.
        start: Weights to start from: `efficientnet-lite0-imagenet`, or an architecture for random or given ones.
        head_size: Size of a linear head after pooling; None: the pooled features are the embedding.
        epochs: Most epochs.
        frozen_epochs: First epochs in which only the head learns.
        patience: Epochs without a better validation mAP after which training stops; None: never.
        fixed_statistics: Keep the batch normalization's statistics as they are at the start.
        weight_average: Decay of an exponential moving average of the weights, which is then validated and kept.
        seed: Of everything that is drawn.
        threads: Of torch; part of the recipe, because sums depend on it.
        training_split: Split to train on.
        validation: What training is stopped by.
        batch: What a step sees.
        loss: What is minimized.
        optimizer: How.
        augmentation: How images are varied.
    """

    name: Annotated[str, Field(pattern=MODEL_NAME)]
    license: str = ""
    start: str = "densenet121"
    head_size: Count | None = None
    epochs: Count = 20
    frozen_epochs: Annotated[int, Field(ge=0)] = 0
    patience: Count | None = None
    fixed_statistics: bool = False
    weight_average: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    threads: Count = 2
    training_split: str = "train"
    validation: ValidationRecipe = ValidationRecipe()
    batch: BatchRecipe = BatchRecipe()
    loss: LossRecipe = LossRecipe()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    augmentation: AugmentationRecipe = AugmentationRecipe()

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the weights: everything but name and license."""
        return canonical_digest(self.model_dump(mode="json", exclude={"name", "license"}))

    def changed(self, changes: Mapping[str, object]) -> Self:
        """Return the recipe with other values in some fields.

        Raises:
            InvalidRequestError: If a value is not allowed.
        """
        try:
            return self.model_validate({**self.model_dump(exclude_unset=True), **changes})
        except ValidationError as error:
            raise InvalidRequestError(f"the recipe is not valid: {_listed(error)}", field="config") from error

    def crop_size(self, epoch: int, *, full: int) -> int:
        """Return the side of a training crop in pixels.

        Args:
            epoch: Epoch, counted from 0.
            full: Side of the model's input.
        """
        sizes = self.augmentation.sizes
        return sizes[epoch * len(sizes) // self.epochs] if sizes else full

    @model_validator(mode="after")
    def _splits_are_apart(self) -> Self:
        if self.validation.split and self.training_split in ("all", self.validation.split):
            raise ValueError("validation.split holds images that training_split trains on")
        return self

    @model_validator(mode="after")
    def _sizes_need_random_crops(self) -> Self:
        if self.augmentation.sizes and self.augmentation.crop != "random":
            raise ValueError("augmentation.sizes need random crops: a smaller center crop would show less")
        return self

    @model_validator(mode="after")
    def _frozen_epochs_need_a_head(self) -> Self:
        if self.frozen_epochs and self.head_size is None and self.loss.kind != "proxy-anchor":
            raise ValueError("frozen_epochs need a head_size: without a head nothing would learn")
        return self


def read_recipe(name_or_path: str) -> TrainingRecipe:
    """Read one of the recipes that come with the software, by name, or a file of one's own.

    Raises:
        InvalidRequestError: If there is no such recipe, or it is not valid; the message names the field.
    """
    packaged = PACKAGED / f"{name_or_path}.toml"
    try:
        own = Path(name_or_path)
        text = packaged.read_text("utf-8") if packaged.is_file() else read_text_file(own, field="config")
        return TrainingRecipe.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        message = f"there is no recipe {name_or_path!r}; known: {', '.join(recipe_names())}; or give a TOML file"
        raise InvalidRequestError(message, field="config") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequestError(f"the recipe is no TOML: {error}", field="config") from error
    except ValidationError as error:
        raise InvalidRequestError(f"the recipe is not valid: {_listed(error)}", field="config") from error


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the software."""
    return sorted(entry.name.removesuffix(".toml") for entry in PACKAGED.iterdir() if entry.name.endswith(".toml"))


def _listed(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'recipe'}: {each['msg']}" for each in problems)
