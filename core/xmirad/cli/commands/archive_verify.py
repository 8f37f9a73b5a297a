"""`xmirad archive verify`: works on the home itself while no service runs."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output
from xmirad.cli.session import settings_of

if TYPE_CHECKING:
    from xmirad.blobs.port import BlobStore
    from xmirad.catalog.database import Database
    from xmirad.catalog.repair import Decode
    from xmirad.settings import Settings

Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Make damaged model inputs again from the originals, where they are kept; with --orphans delete those.",
    ),
]
Orphans = Annotated[
    bool, typer.Option("--orphans", help="List the whole blob store, and name what no record names for a day.")
]
EXAMPLES = """\b
Works offline: stop `xmirad up` or `xmirad serve` first."""


def verify(
    context: typer.Context,
    archive: options.ArchiveArgument,
    repair: Repair = False,
    orphans: Orphans = False,
    as_json: options.Json = False,
) -> None:
    """Compare an archive with catalog and blob store, which are the truth."""
    from xmirad.catalog.images import ImageBlobs
    from xmirad.catalog.repair import repair_inputs
    from xmirad.catalog.stored import binding_of
    from xmirad.catalog.verify import ProblemKind, verify_archive
    from xmirad.composition import archive_store, blob_store
    from xmirad.composition import catalog as open_catalog

    output = Output(as_json)
    with _home_of(context, "xmirad archive verify") as settings, closing(archive_store(settings)) as store:
        catalog, blobs = open_catalog(settings, create=True), blob_store(settings)
        images, record = ImageBlobs(catalog.database, blobs), catalog.archive(settings.site, archive)
        with closing(store.open(binding_of(record))) as opened:
            found = verify_archive(record, opened, catalog=catalog, images=images)
            if repair and (damaged := found.items_with(ProblemKind.INPUT_MISSING)):
                with _decoding(settings, record.model) as decode:
                    repaired = repair_inputs(record, damaged, catalog=catalog, images=images, decode=decode)
                output.note(f"{len(repaired)} of {len(damaged)} model inputs are made again from originals")
                found = verify_archive(record, opened, catalog=catalog, images=images)
        orphaned = _orphans(catalog.database, blobs, delete=repair) if orphans else []
        catalog.database.close()
    problems = [{"kind": problem.kind.name, "subject": problem.subject} for problem in found.problems]
    value = {"archive": archive, "items": found.items, "clean": found.clean, "problems": problems}
    output.json(value | ({"orphans": orphaned} if orphans else {}))
    output.text(f"{archive}: {found.items} items, " + ("clean" if found.clean else f"{len(problems)} problems"))
    for problem in found.problems:
        output.text(f"  {problem.subject}: {problem.kind}")
    for key in orphaned:
        output.text(f"  {key}: a blob that no record names" + (", deleted" if repair else ""))
    if not found.clean:
        output.note(f"`xmirad archive rebuild {archive}` makes its index again from the catalog")
        raise typer.Exit(ExitCode.FAILURE)


def _orphans(database: "Database", blobs: "BlobStore", *, delete: bool) -> list[str]:
    """Return the keys of orphaned blobs, which are deleted if that is wanted."""
    from xmirad.catalog.orphans import orphaned_blobs

    found = []
    for key in orphaned_blobs(database, blobs, now=time.time()):
        if delete:
            blobs.delete(key)
        found.append(key)
    return found


@contextmanager
def _decoding(settings: "Settings", model: str) -> Iterator["Decode"]:
    """Yield what turns an encoded image into the model's input, in confined children."""
    from xmirad.composition import decoder_pool, model_registry

    recipe = model_registry(settings).find(model).preprocessing
    with closing(decoder_pool(settings)) as decoder:
        decoder.start()
        yield lambda image: decoder.decode(image, recipe).pixels


@contextmanager
def _home_of(context: typer.Context, purpose: str) -> Iterator["Settings"]:
    from xmirad.home import Home, exclusive

    settings = settings_of(context)
    home = Home(settings.home)
    home.prepare()
    with exclusive(home.service_lock, purpose=purpose):
        yield settings
