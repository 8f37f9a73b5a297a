"""`xmirad phantoms`: writes a data set of generated images."""

from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli import options
from xmirad.cli.output import Output


def phantoms(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; made if it is not there.", show_default=False)],
    images_per_class: Annotated[int, typer.Option(help="Images of each of the three classes.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal pixels.", min=0)] = 0,
    as_json: options.Json = False,
) -> None:
    """Write a data set of generated images, which show no patient and no disease."""
    from xmirad.phantoms.writing import write_phantoms

    output = Output(as_json)
    write_phantoms(folder, images_per_class=images_per_class, seed=seed)
    output.json({"folder": folder, "images": 3 * images_per_class})
    output.text(f"{folder}: {3 * images_per_class} generated images")
