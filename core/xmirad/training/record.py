"""How a model came about: the record that is kept with it, and its section of the model card."""

import json
import platform
from collections import Counter
from dataclasses import asdict
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
which were not trained on. No test image was read. {masked}

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


def training_record(
    recipe: TrainingRecipe, data: TrainingData, state: TrainingState, *, start: str, masked: bool, device: str
) -> TrainingRecord:
    """Write down how a model came about.

    Args:
        recipe: The recipe.
        data: What was trained on.
        state: The finished training.
        start: What the weights were trained on before.
        masked: Whether images were blanked outside a mask.
        device: Where it was trained.
    """
    best = state.best_epoch
    document = {
        "schema": SCHEMA,
        "software_version": __version__,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_digest": recipe.digest,
        "start": start,
        "data": {
            "name": data.name,
            "digest": data.digest,
            "training": _counts(data, training=True),
            "validation": _counts(data, training=False),
            "masked": masked,
        },
        "environment": {
            "device": device,
            "machine": platform.machine(),
            **{name: version(name) for name in ("torch", "torchvision", "pytorch-metric-learning")},
        },
        "best_epoch": best.number,
        "epochs": [asdict(epoch) for epoch in state.epochs],
    }
    section = SECTION.format(
        images=len(data.training),
        name=data.name,
        counts=", ".join(f"{count} {label}" for label, count in _counts(data, training=True).items()),
        validating=len(data.validation),
        validation_of=f"the split {recipe.validation.split}" if recipe.validation.split else "the same split",
        masked="Images were black outside a mask, and have to be when the model is used." if masked else "",
        start=start,
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
    return TrainingRecord(document=json.dumps(document, indent=1, allow_nan=False) + "\n", section=section)


def _counts(data: TrainingData, *, training: bool) -> dict[str, int]:
    items = data.training if training else data.validation
    return dict(sorted(Counter(item.attributes.labels[0] for item in items).items()))
