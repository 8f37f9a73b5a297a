"""Options of the commands that evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli import completion

ArchiveSplit = Annotated[
    str | None,
    typer.Option(help="Split that the queries are ranked against. Default: each query against the other queries."),
]
CalibrationSplit = Annotated[
    str | None,
    typer.Option(help="Split that the temperature of confidences is fitted on. Default: folds of the queries."),
]
OtherData = Annotated[
    Path | None, typer.Option("--ood-data", help="Another data set, whose images the archive should not know.")
]
Figures = Annotated[
    Path | None, typer.Option(help="Folder that `xmirad figures` has written, to be shown in the report.")
]
ReportFolder = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for report.json and report.html.")]
MinMap = Annotated[float | None, typer.Option(min=0, max=1, help="Exit with 4 if the mean average precision is lower.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Store all images anew.")]
Feedback = Annotated[
    bool,
    typer.Option("--feedback", help="Also let a simulated reader mark results, for three rounds, and search again."),
]
Saliency = Annotated[
    bool, typer.Option("--saliency", help="Also evaluate maps on first results, by every method; takes minutes.")
]
SaliencyQueries = Annotated[
    int | None, typer.Option(min=1, help="Queries of each class whose maps are evaluated. Default: 10.")
]
SaliencyAll = Annotated[bool, typer.Option("--saliency-all", help="Evaluate the maps of all queries.")]
SaliencyControl = Annotated[
    str,
    typer.Option(
        help="Model of random weights whose maps are evaluated beside.", autocompletion=completion.model_names
    ),
]
