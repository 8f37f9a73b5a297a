"""Reading files that a user has named: regular files only, never more than a limit, and without waiting.

A data set's folder may hold a video of gigabytes, a named pipe, a link to a device. None of them may fill the memory
or keep a command waiting.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from xmirad.errors import InvalidRequestError, PayloadTooLargeError

MIB = 1024 * 1024
MAX_IMAGE_BYTES = 60 * MIB
"""Largest encoded image that a service accepts unless it is set otherwise (`limits.max_image_bytes`)."""
MAX_TEXT_BYTES = 256 * MIB
"""Largest list, manifest, report or recipe: about a million rows of a list have 100 MB."""

KINDS = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
    stat.S_IFDIR: "directory",
}


class NotRegularFileError(OSError):
    """The path leads to something that is not a regular file, which `strerror` names."""


@contextmanager
def opened_regular_file(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading. Does not wait for the writer of a named pipe.

    Raises:
        NotRegularFileError: If it is a directory, a named pipe, a device or a socket.
        OSError: If it cannot be opened.
    """
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        raise _not_regular(path, kind)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)  # it may have been replaced between the two calls
        if kind != stat.S_IFREG:
            raise _not_regular(path, kind)
        yield file


def read_regular_file(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of an image file.

    Args:
        path: The file.
        max_bytes: A larger file is refused before it is read.

    Raises:
        NotRegularFileError: If it is a directory, a named pipe, a device or a socket.
        OSError: If it cannot be read.
        PayloadTooLargeError: If it has more than `max_bytes`.
    """
    with opened_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > max_bytes else file.read(max_bytes + 1)
    size = max(size, len(data))
    if size > max_bytes:
        message = f"the file has {size} bytes; the service accepts {max_bytes}"
        raise PayloadTooLargeError(message, field="image.data", metadata={"bytes": str(size), "limit": str(max_bytes)})
    return data


def read_text_file(path: Path, *, field: str, encoding: str = "utf-8") -> str:
    r"""Return the text of a list, report or recipe, with `\n` line ends.

    Raises:
        NotRegularFileError: If it is a directory, a named pipe, a device or a socket.
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is not text of that encoding.
        InvalidRequestError: If it is larger than 256 MiB.
    """
    try:
        data = read_regular_file(path, max_bytes=MAX_TEXT_BYTES)
    except PayloadTooLargeError as error:
        message = f"{path} has {error.metadata['bytes']} bytes; a text file may have {MAX_TEXT_BYTES}"
        raise InvalidRequestError(message, field=field, metadata=error.metadata) from error
    return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a regular file of any size in hexadecimal.

    Raises:
        NotRegularFileError: If it is a directory, a named pipe, a device or a socket.
        OSError: If it cannot be read.
    """
    with opened_regular_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_regular(path: Path, kind: int) -> NotRegularFileError:
    return NotRegularFileError(errno.EINVAL, f"not a regular file but a {KINDS.get(kind, 'special file')}", str(path))
