"""`xmirad index`: puts the images of a data set into an archive."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xmirad.cli import options, warming
from xmirad.cli.exit_codes import ExitCode, exit_code_of
from xmirad.cli.output import Output
from xmirad.cli.session import connected, socket_to_indexer
from xmirad.datasets.selection import FrameChoice
from xmirad.errors import XmiradError
from xmirad.types import ItemFilter, OriginalsPolicy, WorkerKind

if TYPE_CHECKING:
    from xmirad.cli.importing import LocalImport
    from xmirad.cli.tally import Indexed
    from xmirad.client.client import Client
    from xmirad.client.types import ArchiveInfo

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
    from xmirad.cli.importing import LocalImport
    from xmirad.datasets.reading import read_dataset

    output = Output(as_json)
    selection = options.selection(include, exclude, images, skip_missing, frames)
    dataset = read_dataset(data, layout=layout, split=split, full=full, selection=selection)
    for warning in dataset.warnings:
        output.note(f"warning: {warning}")
    wanted = LocalImport(dataset, data, layout, split, full, selection, restore_deleted, resend)
    workers = (WorkerKind.INDEXER, *((WorkerKind.EXPLAINER,) if warm else ()))
    with connected(context, output, workers=workers) as client:
        info = client.create_archive(archive, model=model, originals=originals)
        started = time.monotonic()
        indexed = _index(context, client, info, wanted, output)
        seconds = time.monotonic() - started
        refused = _warm(client, archive, output) if warm else None
    _report(output, indexed, seconds, {"archive": archive, "dataset": dataset.name, "model": info.model}, refused)
    if indexed.failed:
        raise typer.Exit(ExitCode.PARTLY_FAILED)
    if refused is not None:
        raise typer.Exit(exit_code_of(refused))


def _index(
    context: typer.Context, client: "Client", archive: "ArchiveInfo", wanted: "LocalImport", output: Output
) -> "Indexed":
    """Store the images: by the indexer of the home's own service, else by sending them."""
    from xmirad.cli.importing import FEATURE, import_dataset
    from xmirad.client.client import Client

    socket = socket_to_indexer(context)
    if socket and wanted.can_be_named and FEATURE in client.server_info().features:
        with Client(socket) as owner:
            return import_dataset(owner, archive.archive, wanted, output)
    return _send(client, archive, wanted, output)


def _send(client: "Client", archive: "ArchiveInfo", wanted: "LocalImport", output: Output) -> "Indexed":
    from xmirad.cli.progress import meter
    from xmirad.cli.tally import Tally
    from xmirad.cli.uploading import Uploader

    dataset = wanted.dataset
    tally = Tally(dataset.items, dataset.unreadable)
    with meter(f"Indexing {dataset.name}", len(dataset.items), output) as progress:
        Uploader(
            client,
            archive.archive,
            tally=tally,
            on_progress=lambda tally: progress.update(tally.done, len(tally.failures)),
            resume=not wanted.resend and archive.item_count > 0,
            restore_deleted=wanted.restore_deleted,
        ).run()
    return tally.indexed()


def _warm(client: "Client", archive: str, output: Output) -> XmiradError | None:
    """Begin to compute ahead; a refusal comes with the report of what was stored, never in its place."""
    try:
        warming.warm(client, archive, item_filter=ItemFilter(), limit=0, output=output)
    except XmiradError as error:
        output.note(f"nothing is computed ahead: {error.message} [{error.reason}]")
        return error
    return None


def _report(
    output: Output, indexed: "Indexed", seconds: float, names: dict[str, str], refused: XmiradError | None
) -> None:
    counts = {name: getattr(indexed, name) for name in ("created", "updated", "unchanged", "skipped")}
    found: dict[str, Any] = {"failures": indexed.failures, "duplicates": indexed.duplicates}
    if refused is not None:
        found["warming_error"] = {"reason": refused.reason, "message": refused.message}
    output.json({**names, "items": indexed.total, **counts, "failed": indexed.failed, "seconds": seconds, **found})
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"
    rate = f"{(indexed.stored + indexed.failed) / max(seconds, 1e-9):.1f} images/s"
    output.text(f"{names['archive']}: {indexed.stored} of {indexed.total} images ({shown}) in {seconds:.1f} s, {rate}")
    if indexed.duplicates:
        output.text(f"{len(indexed.duplicates)} groups of identical files:")
    for line in indexed.duplicates:
        output.text(f"  {line}")
    if indexed.failed:
        more = f"; the first {len(indexed.failures)} of them" if indexed.failed > len(indexed.failures) else ""
        output.text(f"{indexed.failed} images failed{more}:")
    for failure in sorted(indexed.failures, key=lambda failure: failure.path):
        output.text(f"  {failure.path}: {failure.message} [{failure.reason}]")
