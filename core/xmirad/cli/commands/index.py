"""`xmirad index`: puts the images of a data set into an archive."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xmirad.cli import options, warming
from xmirad.cli.exit_codes import ExitCode, exit_code_of
from xmirad.cli.output import Output
from xmirad.cli.session import connected
from xmirad.datasets.selection import FrameChoice
from xmirad.errors import XmiradError
from xmirad.types import ItemFilter, OriginalsPolicy

if TYPE_CHECKING:
    from xmirad.client.client import Client

EXAMPLES = """\b
Examples:
  xmirad index ~/covidx --archive covidx --split train
  xmirad index cases.csv --archive dermatology --originals reference
  xmirad index ~/radiography --archive chest --exclude masks
Run again after an interruption: images that are there are not sent again."""


def index(
    context: typer.Context,
    data: options.DatasetPath,
    archive: options.Archive,
    layout: options.DatasetLayout = None,
    split: options.DatasetSplit = None,
    full: options.FullList = False,
    include: options.Include = None,
    exclude: options.Exclude = None,
    images: options.ImagesFolder = None,
    skip_missing: options.SkipMissing = False,
    frames: options.Frames = FrameChoice.ALL,
    model: options.Model = "",
    originals: Annotated[OriginalsPolicy, typer.Option(help="What to keep of the files.")] = OriginalsPolicy.COPY,
    restore_deleted: Annotated[bool, typer.Option(help="Store images even though they were deleted before.")] = False,
    resend: Annotated[bool, typer.Option(help="Send all images, also those that are there.")] = False,
    warm: Annotated[bool, typer.Option("--warm", help="Then compute ahead what exact maps are made of.")] = False,
    as_json: options.Json = False,
) -> None:
    """Put the images of a data set into an archive, which is created if it is not there."""
    from xmirad.cli.progress import meter
    from xmirad.cli.tally import Tally
    from xmirad.cli.uploading import Uploader
    from xmirad.datasets.reading import read_dataset

    output = Output(as_json)
    selection = options.selection(include, exclude, images, skip_missing, frames)
    dataset = read_dataset(data, layout=layout, split=split, full=full, selection=selection)
    for warning in dataset.warnings:
        output.note(f"warning: {warning}")
    tally = Tally(dataset.items, dataset.unreadable)
    with connected(context, output, explains=warm) as client:
        info = client.create_archive(archive, model=model, originals=originals)
        started = time.monotonic()
        with meter(f"Indexing {dataset.name}", len(dataset.items), output) as progress:
            Uploader(
                client,
                archive,
                tally=tally,
                on_progress=lambda tally: progress.update(tally.done, len(tally.failures)),
                resume=not resend and info.item_count > 0,
                restore_deleted=restore_deleted,
            ).run()
        seconds = time.monotonic() - started
        refused = _warm(client, archive, output) if warm else None
    _report(output, tally, seconds, {"archive": archive, "dataset": dataset.name, "model": info.model}, refused)
    if tally.failures:
        raise typer.Exit(ExitCode.PARTLY_FAILED)
    if refused is not None:
        raise typer.Exit(exit_code_of(refused))


def _warm(client: "Client", archive: str, output: Output) -> XmiradError | None:
    """Begin to compute ahead; a refusal comes with the report of what was stored, never in its place."""
    try:
        warming.warm(client, archive, item_filter=ItemFilter(), limit=0, output=output)
    except XmiradError as error:
        output.note(f"nothing is computed ahead: {error.message} [{error.reason}]")
        return error
    return None


def _report(
    output: Output,
    tally: Any,  # noqa: ANN401 - a Tally, imported late
    seconds: float,
    names: dict[str, str],
    refused: XmiradError | None,
) -> None:
    counts = {name: getattr(tally, name) for name in ("created", "updated", "unchanged", "skipped")}
    duplicates = tally.duplicates().lines()
    found: dict[str, Any] = {"failures": tally.failures, "duplicates": duplicates}
    if refused is not None:
        found["warming_error"] = {"reason": refused.reason, "message": refused.message}
    output.json({**names, "items": tally.total, **counts, "failed": len(tally.failures), "seconds": seconds, **found})
    stored = sum(counts.values())
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"
    rate = f"{tally.done / max(seconds, 1e-9):.1f} images/s"
    output.text(f"{names['archive']}: {stored} of {tally.total} images ({shown}) in {seconds:.1f} s, {rate}")
    if duplicates:
        output.text(f"{len(duplicates)} groups of identical files:")
    for line in duplicates:
        output.text(f"  {line}")
    if tally.failures:
        output.text(f"{len(tally.failures)} images failed:")
    for failure in sorted(tally.failures, key=lambda failure: failure.path):
        output.text(f"  {failure.path}: {failure.message} [{failure.reason}]")
