"""Reads the files of imports.

Of a folder that clients name by an alias, never anything outside of it, wherever links lead: whoever can put files into
the folder could otherwise have the indexer read what only it may read, as by a link to another site's data. What the
owner of the home names by its path, the owner may read anyway.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from xmirad.errors import InvalidImageError, InvalidRequestError, PayloadTooLargeError
from xmirad.regular_files import read_regular_file

LIST_SUFFIXES = (".csv", ".txt")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def read_inside(path: Path, folder: Path, *, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes that lies in a folder or below it.

    A link is followed if it stays inside. What is opened is looked at, not what was there a moment before.

    Raises:
        InvalidRequestError: If the path leads out of the folder.
        PayloadTooLargeError: If the file is larger.
        InvalidImageError: If it is not a regular file or cannot be read.
    """
    try:
        root, target = folder.resolve(strict=True), path.resolve(strict=True)
        if not target.is_relative_to(root):
            raise InvalidRequestError("the file is a link that leads out of the folder", field="path")
        with open(_opened(root, target.relative_to(root).parts), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InvalidImageError("not a regular file")
            data = file.read(limit + 1)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise InvalidImageError(f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > limit:
        size = max(found.st_size, len(data))
        message = f"the file has {size} bytes; {limit} are allowed"
        raise PayloadTooLargeError(message, metadata={"limit": str(limit), "size": str(size)})
    return data


def read_named(path: Path, *, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises:
        PayloadTooLargeError: If the file is larger.
        InvalidImageError: If it is not a regular file or cannot be read.
    """
    try:
        return read_regular_file(path, max_bytes=limit)
    except OSError as error:
        raise InvalidImageError(f"the file cannot be read: {error.strerror}", field="image.data") from error


def require_lists_inside(folder: Path) -> None:
    """Refuse a folder with a list of images, such as a manifest, that is a link to somewhere else.

    Raises:
        InvalidRequestError: If there is one.
    """
    for file in _lists(folder):
        if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
            message = f"{file.name} is a link that leads out of the folder"
            raise InvalidRequestError(message, field="folder", metadata={"file": file.name})


def _lists(folder: Path) -> Iterable[Path]:
    return sorted(file for file in folder.glob("*") if file.suffix.lower() in LIST_SUFFIXES)


def _opened(root: Path, parts: tuple[str, ...]) -> int:
    """Open a file from folder to folder, so that none of them can be exchanged for a link meanwhile."""
    folder = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _FILE, dir_fd=folder) if parts else os.dup(folder)
    finally:
        os.close(folder)
