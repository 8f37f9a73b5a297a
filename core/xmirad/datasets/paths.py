"""Finding the files of a data set: all below a folder, or those that a list names, without leaving the folder."""

import os
import stat
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from xmirad.datasets.dataset import Unreadable
from xmirad.datasets.problems import Place, named
from xmirad.datasets.selection import PathFilter
from xmirad.errors import InvalidRequestError

DEEPEST_LINKS = 3
"""A link to a folder is followed below so many others at most, so that links cannot multiply a data set."""

SYSTEM_FOLDERS = {"__macosx", "$recycle.bin", "system volume information"}
SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "dicomdir", "autorun.inf", "icon\r"}
DOCUMENT_STEMS = ("readme", "license", "licence", "attribution", "citation", "changelog")  # codespell:ignore
DOCUMENT_SUFFIXES = {
    *(".txt", ".md", ".rst", ".rtf", ".pdf", ".html", ".htm", ".doc", ".docx", ".log"),
    *(".csv", ".tsv", ".xls", ".xlsx", ".ods", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini"),
    *(".py", ".ipynb", ".m", ".r", ".sh", ".bat", ".md5", ".sha256"),
}


def check_inside(name: str, place: Place, *, root: Path | None = None) -> None:
    """Refuse a file name that leads out of the folder of the images.

    Args:
        name: The name.
        place: Where it is written.
        root: A folder in which absolute names may lie, or None: none may be absolute.

    Raises:
        InvalidRequestError: If the name has a `..` in it, or is absolute and not in `root`.
    """
    absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive != ""
    if absolute and root is not None:
        allowed = PurePosixPath(name).is_relative_to(root.absolute())
        remedy = f"absolute names must lie in {root}"
    else:
        allowed = not absolute
        remedy = "file names must be relative and without `..`"
        remedy += "; --root FOLDER allows absolute names in that folder" if absolute else ""
    if not allowed or ".." in PurePosixPath(name.replace("\\", "/")).parts:
        raise InvalidRequestError(
            f"{place}: {name!r} leads out of the data set's folder; {remedy}",
            field="path",
            metadata={"list": str(place.file), "line": str(place.line), "file": name},
        )


def is_ignored(name: str, *, is_folder: bool) -> bool:
    """Return whether a file or folder is no part of a data set: hidden, of the operating system, or a document."""
    return name.startswith(".") or (name.lower() in SYSTEM_FOLDERS if is_folder else is_litter(name))


def is_litter(name: str) -> bool:
    """Return whether a file is known to be no image: of the operating system, or a document."""
    stem, suffix = os.path.splitext(name.lower())
    return name.lower() in SYSTEM_FILES or suffix in DOCUMENT_SUFFIXES or stem in DOCUMENT_STEMS


@dataclass(slots=True)
class Listed:
    """What is below a folder.

    Attributes:
        files: Regular files that may be images, sorted by their parts.
        unreadable: Links to nothing, folders that cannot be listed, and what is not a regular file.
        ignored: Files known to be no images, and hidden ones, relative to the folder.
    """

    files: list[Path] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """Return a sentence on what was ignored, if anything was."""
        if not self.ignored:
            return []
        names = sorted({name.rpartition("/")[2] for name in self.ignored})
        count = len(self.ignored)
        what = (
            "1 file or folder that is hidden or not an image"
            if count == 1
            else f"{count} files or folders that are hidden or not images"
        )
        return [f"left out {what}: {named(names)}"]


def list_files(folder: Path, names: PathFilter, *, follow_links: bool) -> Listed:
    """List what is below a folder. Links to folders are followed, never in a circle.

    Raises:
        InvalidRequestError: If the folder itself cannot be read.
    """
    listed = Listed()
    try:
        _Walk(folder, names, listed, follow_links=follow_links).enter(folder, (), links=0)
    except OSError as error:
        raise _unreadable(error) from error
    listed.files.sort(key=lambda path: path.parts)
    listed.unreadable.sort(key=lambda each: each.path.parts)
    return listed


class _Walk:
    """One pass through a folder."""

    def __init__(self, root: Path, names: PathFilter, listed: Listed, *, follow_links: bool) -> None:
        self._root = root
        self._names = names
        self._listed = listed
        self._follow_links = follow_links

    def enter(self, folder: Path, above: tuple[tuple[int, int], ...], *, links: int) -> None:
        """List a folder; `above` identifies the folders that it lies in, `links` counts the links among them."""
        found = folder.stat()
        here = (found.st_dev, found.st_ino)
        if here in above:
            self._refuse(folder, "is a link in a circle")
            return
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            self._look(folder / name, (*above, here), links=links)

    def _look(self, path: Path, above: tuple[tuple[int, int], ...], *, links: int) -> None:
        name = path.relative_to(self._root).as_posix()
        if self._names.excludes(name):
            return
        try:
            mode = path.stat().st_mode
            if is_ignored(path.name, is_folder=stat.S_ISDIR(mode)):
                self._listed.ignored.append(name)
            elif stat.S_ISDIR(mode):
                self._folder(path, above, links=links + path.is_symlink())
            elif self._names.takes(name):
                self._file(path, mode)
        except OSError as error:
            if self._names.takes(name):
                self._refuse(path, _why(path, error))

    def _file(self, path: Path, mode: int) -> None:
        if stat.S_ISREG(mode):
            self._listed.files.append(path)
        else:
            self._refuse(path, "is not a regular file")

    def _folder(self, path: Path, above: tuple[tuple[int, int], ...], *, links: int) -> None:
        if path.is_symlink() and not self._follow_links and not path.resolve().is_relative_to(self._root.resolve()):
            self._refuse(path, "is a link to a folder outside of the data set")
        elif links > DEEPEST_LINKS:
            self._refuse(path, f"is a link to a folder below {DEEPEST_LINKS} others")
        else:
            self.enter(path, above, links=links)

    def _refuse(self, path: Path, why: str) -> None:
        self._listed.unreadable.append(Unreadable(path, why))


def _why(path: Path, error: OSError) -> str:
    if path.is_symlink() and isinstance(error, FileNotFoundError):
        return "is a link to nothing"
    return f"cannot be read: {error.strerror}"


def _unreadable(error: OSError) -> InvalidRequestError:
    message = f"the folder {error.filename} cannot be read: {error.strerror}"
    return InvalidRequestError(message, field="path", metadata={"folder": str(error.filename)})


class FolderIndex:
    """The files of one folder by name, where the suffix may differ in case and letters in their Unicode form."""

    def __init__(self, folder: Path) -> None:
        """List the folder once.

        Raises:
            InvalidRequestError: If there is no such folder, or it cannot be read.
        """
        self.folder = folder
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError as error:
            raise _unreadable(error) from error
        self._names = {entry.name for entry in found if entry.is_file()}
        self._others = {entry.name: entry for entry in found if entry.name not in self._names}
        self._by_folded: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            self._by_folded[_folded(name)].append(name)

    def find(self, name: str) -> Path | None:
        """Return the file of that name, else the only one that differs in the two ways allowed, else None."""
        if name in self._names:
            return self.folder / name
        close = self._by_folded.get(_folded(name), [])
        return self.folder / close[0] if len(close) == 1 else None

    def why_missing(self, name: str) -> str:
        """Return what is at fault with an entry that is no file, or an empty string if there is no such entry."""
        other = self._others.get(name)
        if other is None:
            return ""
        if other.is_symlink() and not Path(other.path).exists():
            return "is a link to nothing"
        return "is a folder" if other.is_dir() else "is not a regular file"


def _folded(name: str) -> str:
    stem, suffix = os.path.splitext(unicodedata.normalize("NFC", name))
    return stem + suffix.lower()


class PathFinder:
    """Finds files by paths relative to a folder, as forgiving as `FolderIndex` is of names."""

    def __init__(self, folder: Path) -> None:
        """Find files in a folder and below it."""
        self.folder = folder
        self._indexes: dict[Path, FolderIndex | None] = {}

    def find(self, name: str) -> Path | None:
        """Return the file of that path, of any Unicode form and with slashes or backslashes, else None."""
        for each in dict.fromkeys((name, name.replace("\\", "/"))):
            path = self.folder / each
            if path.is_file():
                return path
            parent = self._parent(path)
            index = None if parent is None else self._index(parent)
            found = None if index is None else index.find(path.name)
            if found is not None:
                return found
        return None

    def why_missing(self, name: str) -> str:
        """Return what is at fault with something that is no file, or an empty string if there is nothing."""
        path = self.folder / name
        if not os.path.lexists(path):
            return ""
        return (
            "is a link to nothing" if not path.exists() else "is a folder" if path.is_dir() else "is not a regular file"
        )

    def _parent(self, path: Path) -> Path | None:
        """Return the folder that a file should lie in, in the Unicode form that it has on the disk."""
        found = self.folder if path.is_relative_to(self.folder) else Path(path.anchor)
        for part in path.parent.relative_to(found).parts:
            below = found / part
            if not below.is_dir():
                same = [each for each in _folders(found) if _folded(each.name) == _folded(part)]
                if len(same) != 1:
                    return None
                below = same[0]
            found = below
        return found

    def _index(self, folder: Path) -> FolderIndex | None:
        if folder not in self._indexes:
            self._indexes[folder] = FolderIndex(folder) if folder.is_dir() else None
        return self._indexes[folder]


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
