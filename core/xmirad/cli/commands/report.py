"""`xmirad report`: makes the page of a report again, with other figures or pictures."""

from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli import evaluation_options, options
from xmirad.cli.output import Output
from xmirad.datasets.selection import FrameChoice

EXAMPLES = """\b
Examples:
  xmirad report covidx-report/report.json ~/covidx --figures covidx-figures
  xmirad report isic-report/report.json ~/isic2017 --archive-split train --figures isic-figures"""
PAGE = "report.html"
PAGE_SUFFIXES = (".html", ".htm")


def report(
    report_file: Annotated[Path, typer.Argument(help="report.json of an evaluation.", show_default=False)],
    data: options.DatasetPath,
    layout: options.DatasetLayout = None,
    split: options.DatasetSplit = None,
    full: options.FullList = False,
    archive_split: evaluation_options.ArchiveSplit = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    images: options.ImagesFolder = None,
    skip_missing: options.SkipMissing = False,
    frames: options.Frames = FrameChoice.ALL,
    figures: evaluation_options.Figures = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page, or a folder for it. Default: report.html beside the report."),
    ] = None,
) -> None:
    """Make the page of a report again: one HTML file with tables, charts, pictures, and figures made beside."""
    from xmirad.cli.evaluation_data import evaluation_data
    from xmirad.cli.reports import read_report, report_page

    printer = Output(False)
    found = read_report(report_file)
    selection = options.selection(include, exclude, images, skip_missing, frames)
    parts = evaluation_data(
        data, layout=layout, split=split, full=full, archive_split=archive_split, selection=selection
    )
    page = report_page(found, parts, figures=figures)
    folder = report_file if report_file.is_dir() else report_file.parent
    target = folder / PAGE if output is None else output
    if target.suffix not in PAGE_SUFFIXES:  # a folder, as of `evaluate --output`
        target.mkdir(parents=True, exist_ok=True)
        target /= PAGE
    target.write_text(page, "utf-8")
    printer.note(f"report: {target}")
