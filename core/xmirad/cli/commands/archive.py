"""`xmirad archive`: looks after archives."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import filters, options, ranking, warming
from xmirad.cli.commands import archive_calibrate, archive_imports, archive_verify
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output
from xmirad.cli.session import connected
from xmirad.types import OriginalsPolicy, Patient, WorkerKind

if TYPE_CHECKING:
    from xmirad.client.types import ArchiveInfo

LOOK_SECONDS = 0.5
app = typer.Typer(help="Look after archives.", no_args_is_help=True)

Force = Annotated[bool, typer.Option("--force", help="Do it; without this, only count or refuse.")]


@app.command("create")
def create(
    context: typer.Context,
    archive: options.ArchiveArgument,
    model: options.Model = "",
    originals: Annotated[OriginalsPolicy, typer.Option(help="What to keep of files.")] = OriginalsPolicy.COPY,
    as_json: options.Json = False,
) -> None:
    """Create an archive, bound to a model for good. Repeating it is safe."""
    output = Output(as_json)
    with connected(context, output) as client:
        info = client.create_archive(archive, model=model, originals=originals)
    output.json(info)
    output.text(f"{info.name} ({info.item_count} items, {info.model})")


@app.command("list")
def list_archives(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that `evaluate` and `figures` have made.")] = False,
    as_json: options.Json = False,
) -> None:
    """List the archives, without those that evaluations have filled for themselves."""
    from xmirad.evaluation.uploading import is_evaluation_archive

    output = Output(as_json)
    with connected(context, output, needs_model=False) as client:
        found = list(client.list_archives())
    archives = [info for info in found if every or not is_evaluation_archive(info.archive)]
    output.json(archives)
    output.table(
        ("archive", ">items", "index", "model", "originals", "created"),
        [
            (
                info.archive,
                info.item_count,
                _state(info),
                _short(info.model),
                info.originals,
                f"{info.create_time:%Y-%m-%d %H:%M}",
            )
            for info in archives
        ],
    )
    if len(archives) < len(found):
        output.note(
            f"not listed (--all does): archives of evaluations: {len(found) - len(archives)}; they make the next "
            "evaluation of the same data quicker, and may be deleted: xmirad archive delete NAME --force"
        )


@app.command("show")
def show(context: typer.Context, archive: options.ArchiveArgument, as_json: options.Json = False) -> None:
    """Show what is in an archive: counts by label, data set and so on."""
    output = Output(as_json)
    with connected(context, output, needs_model=False) as client:
        stats = client.archive_stats(archive)
    output.json(stats)
    info = stats.archive
    output.text(f"{info.name}: {info.item_count} items of at most {stats.patient_count} patients, {_short(info.model)}")
    output.text(f"index: {_state(info)}")
    if (fitted := info.evidence_calibration) is not None:
        output.text(f"evidence calibrated on {fitted.queries} images (temperature {fitted.temperature:.4f})")
    rows = [(field, value, count) for field, counts in stats.fields.items() for value, count in counts.items()]
    output.table(("field", "value", ">items"), rows)


@app.command("items")
def items(
    context: typer.Context,
    archive: options.ArchiveArgument,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 100,
    labels: filters.Labels = None,
    datasets: filters.Datasets = None,
    splits: filters.Splits = None,
    as_json: options.Json = False,
) -> None:
    """List items of an archive."""
    output = Output(as_json)
    asked = filters.item_filter(labels=labels, datasets=datasets, splits=splits)
    with connected(context, output, needs_model=False) as client:
        found, names_withheld = ranking.list_items(client, archive, asked, limit=limit)
    output.json(found)
    output.table(
        ("name", "labels", "data set", "split", "source", "item"),
        [
            (
                ranking.item_title(item.identity, item.name),
                ", ".join(known.labels),
                known.dataset,
                known.split,
                known.source,
                ranking.item_id_of(item.name),
            )
            for item in found
            for known in (item.attributes,)
        ],
        last_below=0,
    )
    if names_withheld:
        output.note(ranking.NAMES_WITHHELD)


@app.command("warm")
def warm_archive(
    context: typer.Context,
    archive: options.ArchiveArgument,
    limit: Annotated[int, typer.Option(help="At most this many items; 0: all.", min=0)] = 0,
    labels: filters.Labels = None,
    datasets: filters.Datasets = None,
    splits: filters.Splits = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it takes.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is computed or given up.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Compute these ahead no more. What is there stays.")] = False,
    as_json: options.Json = False,
) -> None:
    """Compute ahead what exact occlusion maps of items are made of. Readers who wait come first."""
    output = Output(as_json)
    asked = filters.item_filter(labels=labels, datasets=datasets, splits=splits)
    with connected(context, output, workers=() if cancel else (WorkerKind.EXPLAINER,)) as client:
        if cancel:
            figures = client.cancel_warming(archive, filter=asked, max_items=limit)
            output.json(figures)
            output.text(f"{archive}: {figures.cancelled_images} images are not computed ahead any more")
            return
        figures = warming.warm(client, archive, item_filter=asked, limit=limit, output=output, dry_run=dry_run)
        if wait and not dry_run:
            figures = warming.wait_until_warm(client, archive, item_filter=asked, limit=limit, output=output)
    output.json(figures)
    output.text(f"{archive}: {figures.complete_items} of {figures.selected_items} items complete")
    if wait and figures.given_up_items:
        output.note(f"{figures.given_up_items} items are given up; `xmirad queue dead` and explainers' logs say why")
        raise typer.Exit(ExitCode.PARTLY_FAILED)


@app.command("delete")
def delete(
    context: typer.Context, archive: options.ArchiveArgument, force: Force = False, as_json: options.Json = False
) -> None:
    """Delete an archive; with --force even though it holds items."""
    output = Output(as_json)
    with connected(context, output, needs_model=False) as client:
        client.delete_archive(archive, force=force)
    output.json({"deleted": archive})
    output.text(f"deleted {archive}")


@app.command("rebuild")
def rebuild(
    context: typer.Context,
    archive: options.ArchiveArgument,
    wait: Annotated[bool, typer.Option(help="Return once it is made, graph and codes included.")] = True,
    as_json: options.Json = False,
) -> None:
    """Make an archive's index again from the catalog, as the settings say. Searches fail or are partial meanwhile."""
    from xmirad.cli.progress import meter

    output = Output(as_json)
    with connected(context, output, needs_model=False) as client:
        info, started = client.rebuild_archive(archive), time.monotonic()
        with meter(f"Rebuilding {archive}", info.item_count, output) as progress:
            while wait and (info.rebuilding is not None or info.optimizing):
                progress.update(info.item_count if info.rebuilding is None else info.rebuilding.indexed_items, 0)
                time.sleep(LOOK_SECONDS)
                info = client.get_archive(archive)
            progress.update(info.item_count if info.rebuilding is None else info.rebuilding.indexed_items, 0)
        seconds = time.monotonic() - started
    output.json({"archive": archive, "items": info.item_count, "state": _state(info), "seconds": seconds})
    output.text(f"{archive}: {info.item_count} items, {_state(info)}, {seconds:.1f} s")


@app.command("purge")
def purge(
    context: typer.Context,
    archive: options.ArchiveArgument,
    labels: filters.Labels = None,
    datasets: filters.Datasets = None,
    splits: filters.Splits = None,
    sources: filters.Sources = None,
    years: filters.Years = "",
    patient: Annotated[str, typer.Option(help="Patient ID: the items of this patient instead of a filter's.")] = "",
    issuer: Annotated[str, typer.Option(help="Issuer of the Patient ID.")] = "",
    force: Force = False,
    as_json: options.Json = False,
) -> None:
    """Count, and with --force delete, the items of a filter or of a patient, with everything derived from them."""
    output = Output(as_json)
    asked = filters.item_filter(labels=labels, datasets=datasets, splits=splits, sources=sources, years=years)
    with connected(context, output, needs_model=False) as client:
        counts = client.purge_items(
            archive,
            filter=None if patient and asked == filters.item_filter() else asked,
            patient=Patient(patient, issuer) if patient else None,
            force=force,
        )
    output.json(counts)
    advice = "" if force else "; nothing is deleted without --force"
    output.text(f"{counts.selected_items} items selected, {counts.deleted_items} deleted{advice}")


def _state(info: "ArchiveInfo") -> str:
    if info.rebuilding is not None:
        return f"rebuilding ({info.rebuilding.indexed_items} of {info.rebuilding.total_items})"
    return "optimizing" if info.optimizing else "ready"


def _short(model: str) -> str:
    return model.removeprefix("models/")[:12]


app.command("calibrate", epilog=archive_calibrate.EXAMPLES)(archive_calibrate.calibrate)
app.command("import", epilog=archive_imports.EXAMPLES)(archive_imports.import_folder)
app.command("imports")(archive_imports.list_imports)
app.command("cancel-import")(archive_imports.cancel_import)
app.command("verify", epilog=archive_verify.EXAMPLES)(archive_verify.verify)
