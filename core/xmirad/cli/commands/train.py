"""`xmirad train`: trains a model on a data set's training images."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli import options
from xmirad.cli.output import Output
from xmirad.cli.session import settings_of
from xmirad.datasets.selection import FrameChoice

EXAMPLES = """\b
Examples:
  xmirad train --config isic2017 --data ~/isic2017
  xmirad train --config covidx --data ~/covidx --as covidx-seed1 --seed 1
  xmirad train --config my-recipe.toml --data ~/covidx --masks ~/covidx-lungs
Stopped at any moment, the same command goes on where it was. Only the training and the validation split are read."""


def train(
    context: typer.Context,
    config: Annotated[
        str,
        typer.Option("--config", "-c", help="A recipe: covidx, isic2017, xmir, or a TOML file.", show_default=False),
    ],
    data: Annotated[Path, typer.Option("--data", "-d", help="Folder of the data set.", show_default=False)],
    layout: options.DatasetLayout = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    images: options.ImagesFolder = None,
    skip_missing: options.SkipMissing = False,
    frames: options.Frames = FrameChoice.ALL,
    save_as: Annotated[str, typer.Option("--as", help="Short name of the model. Default: the recipe's.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed. Default: the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs. Default: the recipe's.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch. Default: the recipe's.")] = None,
    state_dict: Annotated[
        Path | None, typer.Option(help="Weights to start from, for a recipe that names an architecture.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of lung or lesion masks; images become black outside them.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew even if there is a checkpoint.")] = False,
    as_json: options.Json = False,
) -> None:
    """Train a model for retrieval by metric learning, and add it to the models of the home."""
    from xmirad.cli.training import ShownProgress, announce, require_packages, show_trained
    from xmirad.composition import decoder_pool
    from xmirad.home import Home
    from xmirad.training.recipe import read_recipe

    output, settings = Output(as_json), settings_of(context)
    changes = {"name": save_as or None, "seed": seed, "epochs": epochs, "threads": threads}
    recipe = read_recipe(config).changed({name: value for name, value in changes.items() if value is not None})
    require_packages()
    from xmirad.training.data import read_training_data
    from xmirad.training.masks import Masks
    from xmirad.training.train import TrainingRequest, check_room_for_model
    from xmirad.training.train import train as run_training

    selection = options.selection(include, exclude, images, skip_missing, frames)
    check_room_for_model(recipe, settings.models_dir)
    home = Home(settings.home)
    home.prepare()
    request = TrainingRequest(
        recipe=recipe,
        data=read_training_data(data, recipe, layout=layout, selection=selection),
        models_dir=settings.models_dir,
        work_dir=home.training,
        state_dict=state_dict,
        masks=Masks(masks) if masks else None,
        device=device,
        fresh=fresh,
        max_image_bytes=settings.limits.max_image_bytes,
    )
    announce(request, output)
    with closing(decoder_pool(settings)) as decoder, ShownProgress(recipe.name, output) as progress:
        decoder.start()
        result = run_training(request, decoder, progress)
    show_trained(result, output, asked_name=recipe.name)
