"""`xmirad figures`: draws the figures of the paper's supplement, and a check of its maps."""

from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli import completion, options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output, check_output_folder
from xmirad.cli.session import connected
from xmirad.datasets.selection import FrameChoice
from xmirad.saliency.lattice import STRIDE, WINDOW
from xmirad.types import WorkerKind

EXAMPLES = """\b
Examples:
  xmirad figures ~/covidx -o figures --control efficientnet-lite0-random-seed0
  xmirad figures ~/covidx -o figures --only tsne --thumbnails
  xmirad figures ~/isic2017 -o figures --only grid-activation,grid-attention
  xmirad figures ~/isic2017 -o figures --only grid-occlusion --query ISIC_0012099 --query ISIC_0012255

\b
Figures: tsne; grid-activation, grid-attention, grid-occlusion (together: grid);
control-activation, control-attention, control-occlusion (together: control); sanity.
Nothing is computed twice: run the command again to go on where it was broken off."""


def figures(
    context: typer.Context,
    data: options.DatasetPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the figures and figures.json.", show_default=False)
    ],
    only: Annotated[str, typer.Option(help="Figures to draw, separated by commas. Default: all.")] = "",
    layout: options.DatasetLayout = None,
    split: options.DatasetSplit = None,
    full: options.FullList = False,
    include: options.Include = None,
    exclude: options.Exclude = None,
    images: options.ImagesFolder = None,
    skip_missing: options.SkipMissing = False,
    frames: options.Frames = FrameChoice.ALL,
    model: options.Model = "",
    control: Annotated[
        str,
        typer.Option(
            help="Model of random weights, for control and sanity. Default: none, and neither of them.",
            autocompletion=completion.model_names,
        ),
    ] = "",
    queries: Annotated[
        list[str] | None,
        typer.Option(
            "--query",
            "--queries",
            help="Image to show in the grids: its id, file or path; repeatable, or several with commas. "
            "Default: drawn by the seed.",
        ),
    ] = None,
    results: Annotated[int, typer.Option(help="Results of each query in the grids.", min=1, max=5)] = 3,
    window: Annotated[int, typer.Option(help="Occlusion: width of a window in pixels.")] = WINDOW,
    stride: Annotated[int, typer.Option(help="Occlusion: distance of the windows; 10 costs a quarter.")] = STRIDE,
    pairs: Annotated[int, typer.Option(help="Sanity: queries of each class, with their first results.", min=1)] = 4,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="t-SNE: show the starred images.")] = False,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal figures.", min=0)] = 0,
    as_json: options.Json = False,
) -> None:
    """Draw t-SNE, grids of maps, the same with random weights, and how far both models' maps are alike."""
    from xmirad.cli.drawing import draw, show
    from xmirad.client.explanation_types import OcclusionMethod
    from xmirad.datasets.reading import read_dataset
    from xmirad.figures.catalog import needs_maps, wanted
    from xmirad.figures.options import FiguresOptions

    printer = Output(as_json)
    check_output_folder(output)
    asked = FiguresOptions(
        only=_listed(only),
        model=model,
        control=control,
        queries=tuple(name for text in queries or () for name in _listed(text)),
        results=results,
        occlusion=OcclusionMethod(window=window, stride=stride),
        pairs_per_class=pairs,
        thumbnails=thumbnails,
        seed=seed,
    )
    names = wanted(asked.only, has_control=bool(control))
    selection = options.selection(include, exclude, images, skip_missing, frames)
    dataset = read_dataset(data, layout=layout, split=split, full=full, selection=selection)
    with connected(context, printer, workers=(WorkerKind.EXPLAINER,) if any(map(needs_maps, names)) else ()) as client:
        outcomes = draw(client, dataset, output, asked, printer)
    if not show(outcomes, output, printer):
        raise typer.Exit(ExitCode.PARTLY_FAILED)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
