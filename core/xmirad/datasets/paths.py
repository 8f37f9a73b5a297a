"""Finding the files that a list names, without leaving the data set's folder."""

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath, PureWindowsPath

from xmirad.datasets.problems import Place
from xmirad.errors import InvalidRequestError


def check_inside(name: str, place: Place) -> None:
    """Refuse a file name that leads out of the data set's folder.

    Raises:
        InvalidRequestError: If the name is absolute or has a `..` in it.
    """
    absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive != ""
    if absolute or ".." in PurePosixPath(name.replace("\\", "/")).parts:
        raise InvalidRequestError(
            f"{place}: {name!r} leads out of the data set's folder; file names must be relative and without `..`",
            field="path",
            metadata={"list": str(place.file), "line": str(place.line), "file": name},
        )


def visible_files(folder: Path) -> list[Path]:
    """Return every regular file below a folder that is not hidden, sorted by its parts.

    Raises:
        InvalidRequestError: If the folder, or one below it, cannot be read.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.is_file()]
    return sorted(found, key=lambda path: path.parts)


def _refuse(error: OSError) -> None:
    raise _unreadable(error) from error


def _unreadable(error: OSError) -> InvalidRequestError:
    message = f"the folder {error.filename} cannot be read: {error.strerror}"
    return InvalidRequestError(message, field="path", metadata={"folder": str(error.filename)})


class FolderIndex:
    """The files of one folder by name, where the suffix may differ in case."""

    def __init__(self, folder: Path) -> None:
        """List the folder once.

        Raises:
            InvalidRequestError: If there is no such folder, or it cannot be read.
        """
        self.folder = folder
        try:
            with os.scandir(folder) as entries:
                self._names = {entry.name for entry in entries if entry.is_file()}
        except OSError as error:
            raise _unreadable(error) from error
        self._by_folded: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            self._by_folded[_fold_suffix(name)].append(name)

    def find(self, name: str) -> Path | None:
        """Return the file of that name, else the only one that differs in the case of its suffix, else None."""
        if name in self._names:
            return self.folder / name
        close = self._by_folded.get(_fold_suffix(name), [])
        return self.folder / close[0] if len(close) == 1 else None


def _fold_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem + suffix.lower()
