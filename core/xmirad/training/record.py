"""How a model came about: the record that is kept with it, and its section of the model card."""

import json
import platform
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version

from xmirad import __version__
from xmirad.models.building.request import TrainingRecord
from xmirad.training.checkpoint import TrainingState
from xmirad.training.data import TrainingData
from xmirad.training.recipe import TrainingRecipe

SCHEMA = "xmirad.training/1"
SECTION = """\
## Training

Trained by this software on {images} images of {name} ({counts}); stopped by {validating} images of {validation_of}, \
which were not trained on.{masked}

Validation mAP is the corrected leave-one-out mean average precision of the images to validate with, every class \
counting the same, without images of the query's own patient. The best epoch was chosen by it, so for this model it is \
optimistic; measure the model on images that had no part in training (`xmirad evaluate`). Before training it is that \
of the start{head}.

| | |
| --- | --- |
| Started from | {start} |
| Recipe | `{recipe}` (digest {recipe_digest}) |
| Training data | digest `{data}` |
| Loss | {loss} |
| Best epoch | {best}, of {epochs}: validation mAP {figure:.4f}, before training {before:.4f} |

| epoch | loss | validation mAP |
| --- | --- | --- |
{rows}"""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a training began with.

    Attributes:
        start: What the weights were trained on before.
        start_digest: SHA-256 of the file of those weights, or an empty string.
        run: Digest of all that decides the outcome but the machine.
        masked: Whether images were blanked outside a mask.
        device: Where it was trained.
    """

    start: str
    start_digest: str
    run: str
    masked: bool
    device: str


def training_record(recipe: TrainingRecipe, data: TrainingData, state: TrainingState, origin: Origin) -> TrainingRecord:
    """Write down how a model came about, for programs and for people."""
    document = _document(recipe, data, state, origin)
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    return TrainingRecord(document=text, section=_section(recipe, data, state, origin), images=data.images)


def _document(recipe: TrainingRecipe, data: TrainingData, state: TrainingState, origin: Origin) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "software_version": __version__,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_digest": recipe.digest,
        "run": origin.run,
        "start": origin.start,
        "start_digest": origin.start_digest,
        "data": {
            "name": data.name,
            "digest": data.digest,
            "training": _counts(data, training=True),
            "validation": _counts(data, training=False),
            "masked": origin.masked,
        },
        "environment": {
            "device": origin.device,
            "machine": platform.machine(),
            **{name: version(name) for name in ("torch", "torchvision", "pytorch-metric-learning")},
        },
        "best_epoch": state.best_epoch.number,
        "epochs": [asdict(epoch) for epoch in state.epochs],
    }


def _section(recipe: TrainingRecipe, data: TrainingData, state: TrainingState, origin: Origin) -> str:
    best = state.best_epoch
    return SECTION.format(
        images=len(data.training),
        name=data.name,
        counts=", ".join(f"{count} {label}" for label, count in _counts(data, training=True).items()),
        validating=len(data.validation),
        validation_of=f"the split {recipe.validation.split}" if recipe.validation.split else "the same split",
        masked=" Images were black outside a mask, and have to be when the model is used." if origin.masked else "",
        head=" under a head of random weights" if recipe.head_size else "",
        start=origin.start,
        recipe=recipe.name,
        recipe_digest=recipe.digest[:12],
        data=data.digest,
        loss=recipe.loss.kind,
        best=best.number,
        epochs=state.epochs[-1].number,
        figure=best.validation_map,
        before=state.epochs[0].validation_map,
        rows="\n".join(
            f"| {epoch.number} | {'' if epoch.loss is None else f'{epoch.loss:.4f}'} | {epoch.validation_map:.4f} |"
            for epoch in state.epochs
        ),
    )


def _counts(data: TrainingData, *, training: bool) -> dict[str, int]:
    items = data.training if training else data.validation
    return dict(sorted(Counter(item.attributes.labels[0] for item in items).items()))
