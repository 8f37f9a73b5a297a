"""Options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli.completion import archive_names, model_names
from xmirad.datasets.dataset import Layout


class MethodName(StrEnum):
    """How to explain."""

    OCCLUSION = "occlusion"
    ATTENTION = "attention"
    ACTIVATION = "activation"


class FillName(StrEnum):
    """What a hidden window shows; an image of the caller's own cannot be sent."""

    ZERO = "zero"
    BLACK = "black"
    MEAN = "mean"
    BLUR = "blur"


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Archive = Annotated[str, typer.Option("--archive", "-a", help="Name of the archive.", autocompletion=archive_names)]
ArchiveArgument = Annotated[
    str, typer.Argument(help="Name of the archive.", autocompletion=archive_names, show_default=False)
]
Model = Annotated[
    str,
    typer.Option("--model", "-m", help="Model, by name or digest. Default: the service's.", autocompletion=model_names),
]
DatasetPath = Annotated[
    Path, typer.Argument(help="Folder, CSV manifest or label list of a data set.", show_default=False)
]
DatasetLayout = Annotated[Layout | None, typer.Option(help="How the data set lies there. Default: detected.")]
DatasetSplit = Annotated[
    str | None, typer.Option(help="Split to read, or `all`. Default: test for covidx and isic2017, else everything.")
]
FullList = Annotated[bool, typer.Option("--full", help="ISIC 2017: the full test list instead of the balanced one.")]
