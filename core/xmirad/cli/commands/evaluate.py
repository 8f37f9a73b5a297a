"""`xmirad evaluate`: replays a data set against the service and reports how good the rankings are."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli import completion, options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output
from xmirad.cli.session import connected

EXAMPLES = """\b
Examples:
  xmirad evaluate ~/covidx --output covidx-report
  xmirad evaluate ~/isic2017 --full --model densenet121
  xmirad evaluate ~/covidx --saliency --saliency-control efficientnet-lite0-random-seed0
  xmirad evaluate ~/covidx --min-map 0.55 --json      (exit code 4 below it)"""


def evaluate(
    context: typer.Context,
    data: options.DatasetPath,
    layout: options.DatasetLayout = None,
    split: options.DatasetSplit = None,
    full: options.FullList = False,
    model: options.Model = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for report.json and report.html.")
    ] = None,
    min_map: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with 4 if the mean average precision is lower.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Store all images anew.")] = False,
    saliency: Annotated[
        bool, typer.Option("--saliency", help="Also evaluate maps on first results, by every method; takes minutes.")
    ] = False,
    saliency_queries: Annotated[
        int | None, typer.Option(min=1, help="Queries of each class whose maps are evaluated. Default: 10.")
    ] = None,
    saliency_all: Annotated[bool, typer.Option("--saliency-all", help="Evaluate the maps of all queries.")] = False,
    saliency_control: Annotated[
        str,
        typer.Option(
            help="Model of random weights whose maps are evaluated beside.", autocompletion=completion.model_names
        ),
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Store a data set in an archive of its own, search with every image of it, and report mAP and precision."""
    from xmirad.cli.evaluations import evaluated, saliency_options, show_report, write_report
    from xmirad.datasets.reading import read_dataset
    from xmirad.evaluation.gate import map_shortfall
    from xmirad.evaluation.options import EvaluationOptions

    printer = Output(as_json)
    dataset = read_dataset(data, layout=layout, split=split, full=full)
    maps = saliency_options(
        asked=saliency, queries=saliency_queries, every_query=saliency_all, control=saliency_control
    )
    command = shlex.join(["xmirad", *sys.argv[1:]])
    asked = EvaluationOptions(model=model, fresh=fresh, command=command, saliency=maps)
    with connected(context, printer, explains=maps is not None) as client:
        report = evaluated(client, dataset, asked, printer)
    show_report(report, printer)
    if output is not None:
        write_report(report, dataset, output, printer)
    shortfall = None if min_map is None else map_shortfall(report, min_map=min_map)
    if shortfall is not None:
        printer.note(shortfall)
        raise typer.Exit(ExitCode.GATE_NOT_REACHED)
