"""Has the indexer of the home's own service store a data set, which it reads by itself."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xmirad.cli.output import Output
from xmirad.cli.progress import meter
from xmirad.cli.tally import FILE_UNREADABLE, Failure, Indexed
from xmirad.client.import_types import Import, LocalDataset
from xmirad.datasets.dataset import Dataset, Layout
from xmirad.datasets.duplicates import duplicates
from xmirad.datasets.selection import Selection
from xmirad.errors import ConcurrentImportError, InternalError
from xmirad.types import ImportState

if TYPE_CHECKING:
    from xmirad.client.client import Client

FEATURE = "local_imports"
"""What a service says of itself whose indexer runs beside it, and reads what it may read."""


@dataclass(frozen=True, slots=True)
class LocalImport:
    """A data set of this machine that is to be stored.

    Attributes:
        dataset: What the reader has found in it.
        path: Where it is.
        layout: How it lies there; None: it was detected.
        split: Split that was read, or None.
        full_list: Whether the full test list of ISIC 2017 was read.
        selection: What of it was read.
        restore_deleted: Store images even though they were deleted before.
        resend: Decode and store also images that are there just so.
    """

    dataset: Dataset
    path: Path
    layout: Layout | None
    split: str | None
    full_list: bool
    selection: Selection
    restore_deleted: bool
    resend: bool

    @property
    def can_be_named(self) -> bool:
        """Whether its paths are text, which those of a request must be."""
        paths = (self.path, self.selection.images or self.path)
        return all(os.fsencode(path) == str(path).encode("utf-8", "replace") for path in paths)

    @property
    def folder(self) -> Path:
        """What the paths of its images are relative to."""
        return self.path if self.path.is_dir() else self.path.parent


def import_dataset(client: "Client", archive: str, wanted: LocalImport, output: Output) -> Indexed:
    """Store a data set, and return what became of its images. An interruption stops the import.

    Raises:
        XmiradError: As the service or its indexer raised it.
        InternalError: If somebody else has stopped the import.
    """
    begun = _begun(client, archive, wanted, output)
    try:
        ended = _watched(client.watch_import(begun.name), begun, wanted, output)
    except KeyboardInterrupt:
        stopped = client.cancel_import(begun.name)
        output.note(f"stopped; {stopped.done} of {stopped.total} images are settled, and running again goes on there")
        raise
    if ended.error is not None:
        raise ended.error
    if ended.state is ImportState.CANCELLED:
        raise InternalError(f"{ended.name} was stopped", metadata={"import": ended.name})
    return _indexed(ended, wanted)


def _begun(client: "Client", archive: str, wanted: LocalImport, output: Output) -> Import:
    """Begin the import, after one that is under way, such as of the same command before it was killed."""
    selection = wanted.selection
    dataset = LocalDataset(
        path=str(wanted.path.absolute()),
        layout=wanted.layout or "",
        full_list=wanted.full_list,
        images="" if selection.images is None else str(selection.images.absolute()),
        skip_missing=selection.skip_missing,
        frames=selection.frames,
    )
    while True:
        try:
            return client.create_import(
                archive,
                dataset,
                split=wanted.split or "",
                include=selection.include,
                exclude=selection.exclude,
                restore_deleted=wanted.restore_deleted,
                resend=wanted.resend,
            )
        except ConcurrentImportError as error:
            running = error.metadata["import"]
            output.note(f"{running} is under way in this archive; waiting for its end")
            for _ in client.watch_import(running):
                pass


def _watched(updates: Iterator[Import], begun: Import, wanted: LocalImport, output: Output) -> Import:
    latest = begun
    with meter(f"Indexing {wanted.dataset.name}", len(wanted.dataset.items), output) as progress:
        for latest in updates:
            progress.update(latest.done, latest.failed)
    return latest


def _indexed(ended: Import, wanted: LocalImport) -> Indexed:
    unreadable = {each.path: each.why for each in wanted.dataset.unreadable}
    failures = {wanted.folder / path: error for path, error in ended.failures.items()}
    named = [Failure(str(path), FILE_UNREADABLE, why, "path") for path, why in unreadable.items()]
    named += [
        Failure(str(path), error.reason, error.message, error.field)
        for path, error in failures.items()
        if path not in unreadable
    ]
    stored = [item for item in wanted.dataset.items if item.path not in failures and item.path.is_file()]
    return Indexed(
        total=ended.total,
        created=ended.created,
        updated=ended.updated,
        unchanged=ended.unchanged,
        skipped=0,
        failed=ended.failed,
        failures=named,
        duplicates=duplicates(stored).lines(),
    )
