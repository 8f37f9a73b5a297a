"""What is in a folder, in a stable order, read once by every process that works on an import."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xmirad.datasets.dataset import Dataset, DatasetItem, Layout
from xmirad.datasets.reading import read_dataset
from xmirad.datasets.selection import FrameChoice, Selection
from xmirad.errors import InvalidRequestError
from xmirad.ids import canonical_digest
from xmirad.imports.files import require_lists_inside
from xmirad.imports.records import ImportRequest


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of a folder.

    Attributes:
        folder: What the images' paths are relative to.
        items: The images.
        digest: Digest of which they are, in their order.
        warnings: What the reader noticed and went on.
        unreadable: Path relative to the folder and reason of what the reader could not read.
    """

    folder: Path
    items: tuple[DatasetItem, ...]
    digest: str
    warnings: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    def path(self, number: int) -> str:
        """Return the path of an image relative to the folder, or its whole path if it lies elsewhere."""
        return relative(self.items[number].path, self.folder)


class Listings:
    """Keeps the listing used last. Belongs to one process and import after import."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """Read folders by their aliases."""
        self._folders = folders
        self._last: tuple[tuple[str, int], Listing] | None = None

    def of(self, request: ImportRequest) -> Listing:
        """Return what an import is to store.

        Raises:
            InvalidRequestError: If the folder is not known here, or cannot be read as a data set.
        """
        key = (request.creation, request.number)
        if self._last is None or self._last[0] != key:
            self._last = (key, _of_owner(request) if request.path else self._of_alias(request))
        return self._last[1]

    def _of_alias(self, request: ImportRequest) -> Listing:
        path = self._folders.get(request.folder)
        if path is None:
            message = f"this indexer knows no folder {request.folder}; name it in the setting imports.folders"
            raise InvalidRequestError(message, field="folder", metadata={"value": request.folder})
        folder = path if path.is_dir() else path.parent
        require_lists_inside(folder)
        try:
            selection = Selection(include=request.include, exclude=request.exclude, follow_links=False)
            dataset = read_dataset(path, split=request.split or None, selection=selection)
        except InvalidRequestError as error:
            # A client is told the alias, never where that is.
            message = error.message.replace(str(path), request.folder).replace(str(folder), request.folder)
            if folder.parent != folder.parent.parent:
                message = message.replace(str(folder.parent), f"{request.folder}/..")
            field = error.field if error.field in ("split", "include", "exclude") else "folder"
            raise InvalidRequestError(message, field=field, metadata={"folder": request.folder}) from error
        if not all(item.path.is_relative_to(folder) for item in dataset.items):
            message = "the list names images outside of its folder; imports.folders must name a folder around both"
            raise InvalidRequestError(message, field="folder", metadata={"folder": request.folder})
        return _listing(dataset, folder)


def _of_owner(request: ImportRequest) -> Listing:
    """Read a data set as `xmirad index` reads it for its user, who may read all that the indexer may."""
    path = Path(request.path)
    dataset = read_dataset(
        path,
        layout=Layout(request.layout) if request.layout else None,
        split=request.split or None,
        full=request.full_list,
        selection=Selection(
            include=request.include,
            exclude=request.exclude,
            images=Path(request.images) if request.images else None,
            skip_missing=request.skip_missing,
            frames=FrameChoice(request.frames),
        ),
    )
    return _listing(dataset, path if path.is_dir() else path.parent)


def _listing(dataset: Dataset, folder: Path) -> Listing:
    named = [(relative(item.path, folder), item.external_id, item.frame or 0) for item in dataset.items]
    unreadable = tuple((relative(each.path, folder), each.why) for each in dataset.unreadable)
    return Listing(folder, dataset.items, canonical_digest(named), dataset.warnings, unreadable)


def relative(path: Path, folder: Path) -> str:
    """Return a path relative to a folder, or as it is if it lies elsewhere; bytes that are no text are replaced."""
    found = path.relative_to(folder) if path.is_relative_to(folder) else path
    return os.fsencode(found).decode("utf-8", "replace")
