"""The model card."""

from importlib.metadata import version

from xmirad.models.building.architectures import RECIPES
from xmirad.models.building.request import BuildRequest
from xmirad.models.building.weights import license_of, training_data
from xmirad.models.definition import ModelDefinition

CARD = """\
# {name}

Turns a medical image into an embedding of {size} numbers for similarity search.

| | |
| --- | --- |
| Digest | `{digest}` |
| Network | {network} |
| Embedding | {embedding} |
| Preprocessing | {preprocessing} |
| Training data | {training_data} |
| License of the weights | {license} |
| Made with | {versions} |

## Intended use

Research and decision support, not a diagnosis. Similar images are a starting point for a reader's own judgment; a
high score means that the network sees two images alike, not that two patients share a disease.

## Limits

{limits}

{training}## Agreement

The exported graph runs in fp32. Against torch, on generated images, no component of an embedding differs by more than
{parity:.1e}; the build refuses more than {tolerance:.0e}. Loading checks every file and one embedding again.
"""

WEIGHTS_LIMITS = {
    "packaged": "The network was trained on photographs, not on medical images, and nothing was adapted to a modality.",
    "random": "The weights are random: for tests, speed measurements and as a lower bound, never for work.",
    "custom": "How well it retrieves has to be measured on images of the site before it is used.",
}


def model_card(
    request: BuildRequest, definition: ModelDefinition, *, embedding_size: int, parity: float, tolerance: float
) -> str:
    """Write the model card in Markdown.

    Args:
        request: What was asked for.
        definition: What the model is.
        embedding_size: Length of an embedding.
        parity: Largest difference to torch that was measured.
        tolerance: Largest difference that is allowed.
    """
    recipe, output = definition.preprocessing, definition.output
    steps = ["average pooling", "L2 normalization"]
    if definition.head:
        steps.insert(1, f"linear head to {definition.head.size}" + ("" if request.head else " (random weights)"))
    kind = "packaged" if request.packaged else "random" if request.random_weights else "custom"
    return CARD.format(
        name=request.name,
        size=embedding_size,
        digest=definition.digest,
        network=f"{RECIPES[definition.architecture].source}, up to {output.layer} ({output.channels} channels)",
        embedding=", ".join(steps),
        preprocessing=(
            f"RGB; shorter side {recipe.resize_shorter_side} ({recipe.interpolation.value}, Pillow); center crop "
            f"{recipe.crop_size}; (value - {list(recipe.mean)}) / {list(recipe.std)}, values 0 to 255"
        ),
        training_data=training_data(request),
        license=license_of(request),
        versions=", ".join(f"{package} {version(package)}" for package in ("torch", "torchvision", "timm", "openvino")),
        limits=WEIGHTS_LIMITS[kind],
        training=f"{request.training.section}\n\n" if request.training else "",
        parity=parity,
        tolerance=tolerance,
    )
