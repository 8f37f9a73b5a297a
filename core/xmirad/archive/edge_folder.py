"""The folder that Edge archives live in: versions, the pointer to the one in use, and the lock.

    {folder}/lock                              held by the process that owns the store
    {folder}/{archive}/current                 name of the version in use; replaced atomically
    {folder}/{archive}/{version}/binding.json  what the version is bound to
    {folder}/{archive}/{version}/shard/        the shard itself

An archive exists once its pointer does. Versions that the pointer does not name are left from a process that died while
it wrote them or before it removed them; they are swept away when the archive is opened for writing next.
"""

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

from xmirad.archive import binding as bindings
from xmirad.archive.port import ArchiveBinding
from xmirad.errors import ArchiveNotReadyError

POINTER = "current"
BINDING = "binding.json"
SHARD = "shard"


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that after any crash it holds either its old content or the new one, on disk."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderLock:
    """The right to use the shards below a folder: one holder on the machine, gone with the holder's process."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; nothing is locked yet."""
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or keep it if it is held already.

        Raises:
            ArchiveNotReadyError: If another process, or another store of this one, holds it.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ArchiveNotReadyError("another process has the archives open", retry_delay_seconds=1.0) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class ArchiveFolder:
    """The versions of one archive."""

    def __init__(self, folder: Path, archive: str) -> None:
        """Remember where they are.

        Raises:
            InvalidRequestError: If the archive's id is not allowed.
        """
        bindings.check_archive_id(archive)
        self.archive = archive
        self.path = folder / archive

    def current(self) -> Path | None:
        """Return the version in use, or None if the archive does not exist."""
        try:
            name = (self.path / POINTER).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return self.path / name

    def binding(self, version: Path) -> ArchiveBinding:
        """Return what a version is bound to.

        Raises:
            ArchiveNotReadyError: If it does not say.
        """
        try:
            data: Any = json.loads((version / BINDING).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            data = {}
        return bindings.from_json(self.archive, data if isinstance(data, dict) else {})

    def new_version(self, binding: ArchiveBinding) -> Path:
        """Make the folder of a fresh version, with its binding and an empty shard folder; it is not in use yet."""
        taken = [int(version.name[1:]) for version in self._versions()]
        version = self.path / f"v{max(taken, default=0) + 1}"
        (version / SHARD).mkdir(parents=True)
        write_atomically(version / BINDING, json.dumps(bindings.to_json(binding), indent=2))
        return version

    def switch(self, version: Path) -> None:
        """Put a version in use: readers see the old one or the new one, never neither."""
        sync_folder(version)
        write_atomically(self.path / POINTER, version.name)
        sync_folder(self.path.parent)

    def discard(self, version: Path) -> None:
        """Remove a version unless it is in use."""
        if version != self.current():
            shutil.rmtree(version)

    def sweep(self) -> None:
        """Remove the versions that are not in use."""
        for version in self._versions():
            self.discard(version)

    def remove(self) -> None:
        """Remove the archive: first the pointer, so that a half-removed archive is none."""
        (self.path / POINTER).unlink(missing_ok=True)
        if self.path.exists():
            shutil.rmtree(self.path)

    def _versions(self) -> list[Path]:
        return [path for path in self.path.glob("v*") if path.name[1:].isdigit()]
