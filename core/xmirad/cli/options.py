"""Options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli.completion import archive_names, model_names
from xmirad.datasets.dataset import Layout
from xmirad.datasets.selection import FrameChoice, Selection


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
    Path,
    typer.Argument(
        help="Folder, label list or CSV manifest of a data set; the columns of a manifest: path, labels, patient_id, "
        "split and others, see docs/data-sets.md.",
        show_default=False,
    ),
]
DatasetLayout = Annotated[Layout | None, typer.Option(help="How the data set lies there. Default: detected.")]
DatasetSplit = Annotated[
    str | None, typer.Option(help="Split to read, or `all`. Default: test for covidx and isic, else everything.")
]
FullList = Annotated[bool, typer.Option("--full", help="ISIC 2017: the full test list instead of the balanced one.")]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", help="Read only files that match this glob, such as 'train/**'; repeatable."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Leave out files and folders that match, such as masks; repeatable."),
]
ImagesFolder = Annotated[
    Path | None,
    typer.Option(
        "--images",
        "--root",
        help="Folder of the images that a list or manifest names; absolute names may lie in it. Default: beside it.",
    ),
]
SkipMissing = Annotated[
    bool, typer.Option("--skip-missing", help="Count files that a list names and are not there as failed, and go on.")
]
Frames = Annotated[FrameChoice, typer.Option(help="Frames to read of DICOM files with several.")]


def selection(
    include: list[str] | None,
    exclude: list[str] | None,
    images: Path | None,
    skip_missing: bool,
    frames: FrameChoice,
) -> Selection:
    """Return what of a data set is read.

    Raises:
        InvalidRequestError: If a pattern is empty.
    """
    return Selection(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        images=images,
        skip_missing=skip_missing,
        frames=frames,
    )
