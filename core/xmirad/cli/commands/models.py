"""`xmirad models`: lists, shows, checks and builds models in the home."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import options
from xmirad.cli.completion import model_names
from xmirad.cli.output import Output
from xmirad.cli.session import settings_of

if TYPE_CHECKING:
    from xmirad.models.artifact import ModelArtifact
    from xmirad.models.registry import ModelRegistry
    from xmirad.models.tuner import Tuned

BUILD_EXAMPLES = """\b
Examples:
  xmirad models build efficientnet-lite0-imagenet
  xmirad models build densenet121 --state-dict weights.safetensors --training-data "COVIDx train"
  xmirad models build resnet18 --random-weights --seed 7
Nothing is downloaded: weights come from an installed package, a file or a seed."""
app = typer.Typer(help="List, show, check and build models.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name or digest of a model.", autocompletion=model_names, show_default=False)]


@app.command("list")
def list_models(context: typer.Context, as_json: options.Json = False) -> None:
    """List the models of the home."""
    output = Output(as_json)
    found = _registry(context).list()
    output.json([describe(artifact) for artifact in found])
    output.table(
        ("model", "digest", "architecture", ">embedding size", "license", "training data"),
        [
            (
                model.name,
                model.digest[:12],
                model.architecture,
                model.embedding_size,
                model.license,
                model.training_data,
            )
            for model in found
        ],
    )
    if not found:
        output.note("there are no models yet; build one: xmirad models build efficientnet-lite0-imagenet")


@app.command("show")
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Show a model and its card."""
    output = Output(as_json)
    artifact = _registry(context).find(name)
    output.json({**describe(artifact), "card": artifact.card})
    for field, value in describe(artifact).items():
        output.text(f"{field}: {value}")
    output.text()
    for line in artifact.card.splitlines():
        output.text(line)


@app.command("verify")
def verify(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Check a model's files against their digests, and that it still makes its canonical embedding."""
    output = Output(as_json)
    registry = _registry(context)
    artifact = registry.find(name)
    registry.verify(artifact)
    output.json({"name": artifact.name, "digest": artifact.digest, "intact": True})
    output.text(f"{artifact.name} ({artifact.digest[:12]}) is intact")


@app.command("build", epilog=BUILD_EXAMPLES)
def build(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="`efficientnet-lite0-imagenet`, or an architecture for other weights.")],
    state_dict: Annotated[Path | None, typer.Option(help="File with weights.")] = None,
    random_weights: Annotated[bool, typer.Option("--random-weights", help="Weights drawn from the seed.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of random weights.")] = 0,
    head: Annotated[Path | None, typer.Option(help="File with the weights of a linear head.")] = None,
    head_size: Annotated[int | None, typer.Option(help="Size of a linear head with random weights.")] = None,
    save_as: Annotated[str, typer.Option("--as", help="Short name of the model.")] = "",
    training_data: Annotated[str, typer.Option(help="What the weights were trained on, for the card.")] = "",
    license: Annotated[str, typer.Option(help="License of the weights, for the card.")] = "",
    fine_tuned: Annotated[
        bool,
        typer.Option(
            "--fine-tuned",
            help="The state dict was trained for labels of images like those that are searched: nothing is then "
            "claimed about images that an archive does not know.",
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Build a model, or find it built already."""
    from xmirad.models.building import build_model

    output = Output(as_json)
    artifact = build_model(
        name,
        settings_of(context).models_dir,
        state_dict=state_dict,
        random_weights=random_weights,
        seed=seed,
        head=head,
        head_size=head_size,
        save_as=save_as,
        training_data=training_data,
        license=license,
        fine_tuned=fine_tuned,
    )
    output.json(describe(artifact))
    output.text(f"{artifact.name} is {artifact.digest} in {artifact.path}")


@app.command("tune")
def tune_model(
    context: typer.Context,
    name: Name,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the network; a worker of the explainer has 1.")] = 1,
    seconds: Annotated[float, typer.Option(min=0, help="How long to measure.")] = 10.0,
    as_json: options.Json = False,
) -> None:
    """Measure how a model runs fastest on this machine, and keep that beside it. Results keep their bits."""
    from xmirad.models.tuner import tune

    output = Output(as_json)
    found = tune(_registry(context).find(name), threads=threads, seconds=seconds)
    rows = tried(found)
    fields = ("batch", "streams", "milliseconds", "chosen", "not_considered")
    output.json([dict(zip(fields, row, strict=True)) for row in rows])
    output.table(
        (*(f">{field}" for field in fields[:4]), "not considered"),
        [
            (batch, streams, "" if ms is None else f"{ms:.2f}", "yes" if chosen else "", why or "")
            for batch, streams, ms, chosen, why in rows
        ],
    )


def tried(found: "Tuned") -> list[tuple[int, int, float | None, bool, str | None]]:
    """Return of each way that was tried: batch, streams, milliseconds, whether it was chosen, why not considered."""
    measured: list[tuple[int, int, float | None, bool, str | None]] = [
        (way.batch, way.streams, ms, way == found.tuning, "measured too few times" if way in found.hasty else None)
        for way, ms in found.milliseconds.items()
    ]
    return measured + [(way.batch, way.streams, None, False, "other bits") for way in found.refused]


def describe(artifact: "ModelArtifact") -> dict[str, object]:
    """Return what is to be known of a model."""
    return {
        "name": artifact.name,
        "digest": artifact.digest,
        "architecture": artifact.architecture,
        "embedding_size": artifact.embedding_size,
        "training_data": artifact.training_data,
        "license": artifact.license,
        "untrained_features": artifact.untrained_features,
        "path": artifact.path,
    }


def _registry(context: typer.Context) -> "ModelRegistry":
    from xmirad.models.registry import ModelRegistry

    return ModelRegistry(settings_of(context).models_dir)
