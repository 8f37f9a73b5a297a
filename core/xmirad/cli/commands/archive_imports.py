"""`xmirad archive import`, `imports` and `cancel-import`: folders that the server's indexers store."""

from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output
from xmirad.cli.session import connected
from xmirad.types import ImportState

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.client.import_types import Import

EXAMPLES = """\b
Examples:
  xmirad archive import phantoms --archive demo --watch
The server must know the folder by this alias (setting imports.folders). Importing again goes on where it was cut short;
to send images from here, use `xmirad index`."""

Name = Annotated[str, typer.Argument(help="Name of the import: imports/...", show_default=False)]


def import_folder(
    context: typer.Context,
    alias: Annotated[str, typer.Argument(help="Alias of a folder of the server.", show_default=False)],
    archive: options.Archive,
    split: Annotated[str, typer.Option(help="Split to read, or `all`. Default: what the reader takes.")] = "",
    include: options.Include = None,
    exclude: options.Exclude = None,
    model: options.Model = "",
    watch: Annotated[bool, typer.Option("--watch", help="Wait until it has ended.")] = False,
    as_json: options.Json = False,
) -> None:
    """Have a folder of the server stored in an archive, which is created if it is not there."""
    output = Output(as_json)
    with connected(context, output) as client:
        client.create_archive(archive, model=model)
        imported = client.create_import(archive, alias, split=split, include=include or (), exclude=exclude or ())
        if watch:
            imported = _watched(client, imported, output)
    output.json(imported)
    _report(output, imported)
    if imported.state in (ImportState.FAILED, ImportState.CANCELLED):
        raise typer.Exit(ExitCode.FAILURE)
    if imported.failed:
        raise typer.Exit(ExitCode.PARTLY_FAILED)


def list_imports(
    context: typer.Context,
    archive: Annotated[str, typer.Option("--archive", "-a", help="Name of the archive. Default: all.")] = "",
    as_json: options.Json = False,
) -> None:
    """List imports."""
    output = Output(as_json)
    with connected(context, output, needs_model=False) as client:
        found = list(client.list_imports(archive=archive))
    output.json(found)
    rows = [
        (
            each.name,
            each.folder,
            each.state or "unknown",
            each.total,
            each.done,
            each.failed,
            f"{each.create_time:%Y-%m-%d %H:%M}",
        )
        for each in found
    ]
    output.table(("import", "folder", "state", ">images", ">done", ">failed", "created"), rows)


def cancel_import(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Stop an import; what it has stored stays."""
    output = Output(as_json)
    with connected(context, output, needs_model=False) as client:
        cancelled = client.cancel_import(name)
    output.json(cancelled)
    _report(output, cancelled)


def _watched(client: "Client", created: "Import", output: Output) -> "Import":
    from xmirad.cli.progress import meter

    updates = client.watch_import(created.name)
    latest = next((each for each in updates if each.total or each.finish_time), created)
    with meter(f"Importing {latest.folder}", latest.total, output) as progress:
        progress.update(latest.done, latest.failed)
        for latest in updates:
            progress.update(latest.done, latest.failed)
    return latest


def _report(output: Output, imported: "Import") -> None:
    counts = {name: getattr(imported, name) for name in ("created", "updated", "unchanged", "failed")}
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet"
    state = imported.state or "unknown"
    output.text(f"{imported.name}: {state}, {imported.done} of {imported.total} images ({shown})")
    for warning in imported.warnings:
        output.note(f"warning: {warning}")
    if imported.error is not None:
        output.text(f"{imported.error.message} [{imported.error.reason}]")
    for path, error in imported.failures.items():
        output.text(f"  {path}: {error.message} [{error.reason}]")
