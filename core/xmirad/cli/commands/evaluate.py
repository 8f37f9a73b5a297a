"""`xmirad evaluate`: replays a data set against the service and reports how good the rankings are."""

import shlex
import sys

import typer

from xmirad.cli import evaluation_options, options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output, check_output_folder
from xmirad.cli.session import connected
from xmirad.datasets.selection import FrameChoice
from xmirad.types import WorkerKind

EXAMPLES = """\b
Examples:
  xmirad evaluate ~/covidx --output covidx-report
  xmirad evaluate ~/isic2017 --full --model densenet121
  xmirad evaluate ~/isic2017 --archive-split train --calibration-split validation --ood-data ~/covidx
  xmirad evaluate ~/covidx --saliency --saliency-control efficientnet-lite0-random-seed0
  xmirad evaluate ~/covidx --feedback
  xmirad evaluate ~/covidx --min-map 0.55 --json      (exit code 4 below it)"""


def evaluate(
    context: typer.Context,
    data: options.DatasetPath,
    layout: options.DatasetLayout = None,
    split: options.DatasetSplit = None,
    full: options.FullList = False,
    archive_split: evaluation_options.ArchiveSplit = None,
    calibration_split: evaluation_options.CalibrationSplit = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    images: options.ImagesFolder = None,
    skip_missing: options.SkipMissing = False,
    frames: options.Frames = FrameChoice.ALL,
    ood_data: evaluation_options.OtherData = None,
    model: options.Model = "",
    output: evaluation_options.ReportFolder = None,
    figures: evaluation_options.Figures = None,
    min_map: evaluation_options.MinMap = None,
    fresh: evaluation_options.Fresh = False,
    feedback: evaluation_options.Feedback = False,
    saliency: evaluation_options.Saliency = False,
    saliency_queries: evaluation_options.SaliencyQueries = None,
    saliency_all: evaluation_options.SaliencyAll = False,
    saliency_control: evaluation_options.SaliencyControl = "",
    as_json: options.Json = False,
) -> None:
    """Search with every image of a data set, among the others or in another split, and report mAP and precision."""
    from xmirad.cli.evaluation_data import evaluation_data, saliency_options
    from xmirad.cli.evaluations import evaluated
    from xmirad.cli.reports import show_report, write_report
    from xmirad.evaluation.feedback import ROUNDS
    from xmirad.evaluation.gate import map_shortfall
    from xmirad.evaluation.made_figures import read_figures
    from xmirad.evaluation.options import EvaluationOptions

    printer = Output(as_json)
    if output is not None:
        check_output_folder(output)
    parts = evaluation_data(
        data,
        layout=layout,
        split=split,
        full=full,
        archive_split=archive_split,
        calibration_split=calibration_split,
        other_data=ood_data,
        selection=options.selection(include, exclude, images, skip_missing, frames),
    )
    maps = saliency_options(
        asked=saliency, queries=saliency_queries, every_query=saliency_all, control=saliency_control
    )
    made = () if figures is None else read_figures(figures)
    command = shlex.join(["xmirad", *sys.argv[1:]])
    asked = EvaluationOptions(
        model=model, fresh=fresh, command=command, saliency=maps, feedback_rounds=ROUNDS * feedback
    )
    with connected(context, printer, workers=(WorkerKind.EXPLAINER,) if maps is not None else ()) as client:
        report = evaluated(client, parts, asked, printer)
    show_report(report, printer)
    if output is not None:
        write_report(report, parts, output, printer, made=made)
    shortfall = None if min_map is None else map_shortfall(report, min_map=min_map)
    if shortfall is not None:
        printer.note(shortfall)
        raise typer.Exit(ExitCode.GATE_NOT_REACHED)
    if report.all_failures:
        raise typer.Exit(ExitCode.PARTLY_FAILED)
