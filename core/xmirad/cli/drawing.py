"""Draws figures with a progress bar, and says what became of each; imported when it is needed."""

from collections.abc import Sequence
from pathlib import Path

from xmirad.cli.evaluations import Stages
from xmirad.cli.output import Output
from xmirad.datasets import Dataset
from xmirad.figures.drawing import draw_figures
from xmirad.figures.index import FILE_NAME, DrawnFigure, Outcome, names_of
from xmirad.figures.options import FiguresOptions
from xmirad.figures.service import FiguresService


def draw(
    service: FiguresService, dataset: Dataset, folder: Path, options: FiguresOptions, output: Output
) -> list[Outcome]:
    """Draw figures, showing the progress of each stage and every figure that is done."""
    for warning in dataset.warnings:
        output.note(f"warning: {warning}")
    outcomes: list[Outcome] = []
    with Stages(dataset.name, output) as stages:
        for outcome in draw_figures(service, dataset, folder, options=options, progress=stages, tell=output.note):
            outcomes.append(outcome)
            if isinstance(outcome, DrawnFigure):
                output.note(f"drawn: {folder / outcome.file}")
    if not options.control and not options.only:
        output.note("no control and no sanity figures: they need a model of random weights (--control)")
    return outcomes


def show(outcomes: Sequence[Outcome], folder: Path, output: Output) -> bool:
    """Print what became of each figure, and return whether all were drawn with all their maps."""
    drawn, omitted = names_of(outcomes)
    output.json({"folder": folder, "figures": drawn, "omitted": omitted})
    for figure in drawn:
        output.text(f"{figure.name}: {folder / figure.file} and .svg")
        output.text(f"  {figure.caption}")
        for failure in figure.details.get("failed", []):
            output.text(f"  failed: {failure}")
    for omission in omitted:
        output.text(f"{omission.name}: not drawn: {omission.message} [{omission.reason}]")
    output.text(f"{len(drawn)} figures in {folder / FILE_NAME}")
    output.text("Research and decision support; not a diagnosis.")
    return not omitted and not any(figure.details.get("failed") for figure in drawn)
