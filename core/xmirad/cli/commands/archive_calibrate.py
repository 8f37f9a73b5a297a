"""`xmirad archive calibrate`: fits what the nearest items say to images whose labels are known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output
from xmirad.cli.session import connected
from xmirad.datasets.dataset import Layout
from xmirad.datasets.selection import FrameChoice
from xmirad.errors import InvalidRequestError

if TYPE_CHECKING:
    from xmirad.evaluation.calibrating import Calibrated
    from xmirad.evidence.calibration import EvidenceCalibration

EXAMPLES = """\b
Examples:
  xmirad archive calibrate skin --data ~/isic2017
  xmirad archive calibrate chest --data validation.csv
Afterwards `xmirad search` says how sure the nearest items make it, and whether anything in the archive looks like the
query at all. Images of the archive may be among the data: none counts for itself. A calibration that cannot be believed
is refused (exit code 6): one at a bound of its search, or that makes confidences no better on images that it was not
fitted to. What was stored before then stays."""

VALIDATION = "validation"
WITHOUT_VALIDATION = (Layout.COVIDX, Layout.ISIC2019, Layout.ISIC2020)
NO_CLAIM = (
    "no out-of-distribution claim: the model's trunk was fine-tuned, so nothing in it says what the archive does not "
    "know; or the token lacks the scope `embedding`"
)


def calibrate(
    context: typer.Context,
    archive: options.ArchiveArgument,
    data: Annotated[
        Path,
        typer.Option("--data", help="Folder, CSV manifest or label list of validation images.", show_default=False),
    ],
    layout: options.DatasetLayout = None,
    split: Annotated[
        str | None, typer.Option(help="Split to read, or `all`. Default: validation where splits are, else everything.")
    ] = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    images: options.ImagesFolder = None,
    skip_missing: options.SkipMissing = False,
    frames: options.Frames = FrameChoice.ALL,
    as_json: options.Json = False,
) -> None:
    """Calibrate an archive's evidence with labeled images that were used for nothing else."""
    from xmirad.cli.progress import meter
    from xmirad.datasets.reading import detect_layout, read_dataset
    from xmirad.evaluation.calibrating import calibrate_archive
    from xmirad.evaluation.options import Stage

    output = Output(as_json)
    chosen = split
    if data.exists() and split is None:
        chosen = default_split(layout or detect_layout(data))
    selection = options.selection(include, exclude, images, skip_missing, frames)
    dataset = read_dataset(data, layout=layout, split=chosen, selection=selection)
    for warning in dataset.warnings:
        output.note(f"warning: {warning}")
    with (
        connected(context, output) as client,
        meter(f"Searching {dataset.name}", len(dataset.items), output) as shown,
    ):

        def progress(stage: Stage, done: int, total: int, failed: int = 0) -> None:
            shown.update(done, failed)

        done = calibrate_archive(client, archive, dataset, progress=progress)
    output.json(done)
    for failure in done.failures:
        output.note(f"failed: {failure.file}: {failure.message} [{failure.reason}]")
    _print_calibration(output, done)
    if done.failures:
        raise typer.Exit(ExitCode.PARTLY_FAILED)


def _print_calibration(output: Output, done: "Calibrated") -> None:
    fitted = done.calibration
    output.text(f"{done.archive.name}: calibrated on {fitted.queries} images of {len(fitted.labels)} labels")
    output.table(
        ("figure", ">value"),
        [
            ("temperature", f"{fitted.temperature:.4f}"),
            ("pseudo-count", f"{fitted.pseudo_count:.4f}"),
            ("out of distribution beyond a mean distance of", _threshold(fitted)),
            ("expected calibration error before", f"{fitted.error_before:.4f}"),
            (f"expected calibration error after, on {fitted.folds} held-out folds", f"{fitted.error_after:.4f}"),
            ("labels that there are", fitted.label_count),
            ("images (n)", fitted.queries),
        ],
    )
    if fitted.distance_threshold is None:
        output.text(NO_CLAIM)
    elif fitted.reference is not None:
        output.text("distances are taken in the features before the model's head, to the calibration images")


def _threshold(fitted: "EvidenceCalibration") -> str:
    return "no claim" if fitted.distance_threshold is None else f"{fitted.distance_threshold:.4f}"


def default_split(layout: Layout) -> str | None:
    """Return the split that validation images are in.

    Raises:
        InvalidRequestError: If the layout has splits, and none for validation.
    """
    if layout in WITHOUT_VALIDATION:
        message = f"{layout} has no validation split; name one with --split, and not the one that you evaluate with"
        raise InvalidRequestError(message, field="split")
    return None if layout in (Layout.FOLDER, Layout.MANIFEST) else VALIDATION
