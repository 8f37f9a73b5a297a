"""The folder that Edge archives live in, and the lock on it.

    {folder}/lock                     held by the process that owns the store
    {folder}/{creation}/binding.json  what the archive of that creation is bound to
    {folder}/{creation}/shard/        the shard itself
    {folder}/{creation}.beside/       the same, while its graph or its codes are being made

A creation is made under another name and renamed once it is whole, so that it is there as a whole or not at all.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xmirad.archive import binding as bindings
from xmirad.archive.port import ArchiveBinding
from xmirad.errors import ArchiveNotReadyError

BINDING = "binding.json"
SHARD = "shard"
UNFINISHED = ".unfinished"
"""Ending of what is being made or removed."""
BESIDE = ".beside"
"""Ending of what is made beside an archive by a child of the store's owner, and does not outlive that."""


def write_durably(path: Path, text: str) -> None:
    """Write a file, on disk when this returns."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


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
        """Take the lock, or keep it if it is held already; what a dead holder's child has left is removed.

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
        for leftover in self._path.parent.glob(f"*{BESIDE}*"):
            shutil.rmtree(leftover)

    def release(self) -> None:
        """Give the lock back if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class ArchiveFolder:
    """The folder of one creation of an archive."""

    def __init__(self, folder: Path, creation: str) -> None:
        """Remember where it is.

        Raises:
            InvalidRequestError: If the creation's id could not be a folder's name.
        """
        bindings.check_creation(creation)
        self.path = folder / creation
        self.shard = self.path / SHARD
        self._unfinished = folder / f"{creation}{UNFINISHED}"
        self._beside = folder / f"{creation}{BESIDE}"
        self.shard_beside = self._beside / SHARD

    def exists(self) -> bool:
        """Return whether the creation is there."""
        return self.path.is_dir()

    def binding(self) -> ArchiveBinding:
        """Return what the creation is bound to.

        Raises:
            ArchiveNotReadyError: If it does not say.
        """
        return read_binding(self.path)

    def make(self, binding: ArchiveBinding, make_shard: Callable[[Path], None]) -> None:
        """Make the creation, which must not be there, with a shard that `make_shard` makes in an empty folder."""
        self._clear()
        _make(self._unfinished, binding, make_shard)
        self._unfinished.rename(self.path)
        sync_folder(self.path.parent)

    def make_beside(self, binding: ArchiveBinding, make_shard: Callable[[Path], None]) -> None:
        """Make it beside the one that is there, in the place of an earlier attempt."""
        self.clear_beside()
        _make(self._beside, binding, make_shard)

    def take_beside(self) -> None:
        """Replace the creation by what was made beside it, which must be there."""
        self._clear()
        self.path.rename(self._unfinished)
        self._beside.rename(self.path)
        sync_folder(self.path.parent)
        self._clear()

    def remove(self) -> None:
        """Remove the creation: it is gone at once, and its files then."""
        self._clear()
        self.clear_beside()
        if self.exists():
            self.path.rename(self._unfinished)
            sync_folder(self.path.parent)
            self._clear()

    def clear_beside(self) -> None:
        """Remove what was made beside the creation; whoever is still making it fails."""
        if self._beside.exists():
            discarded = self._beside.with_suffix(f"{BESIDE}{UNFINISHED}")
            shutil.rmtree(discarded, ignore_errors=True)
            self._beside.rename(discarded)
            shutil.rmtree(discarded, ignore_errors=True)

    def _clear(self) -> None:
        if self._unfinished.exists():
            shutil.rmtree(self._unfinished)


def _make(path: Path, binding: ArchiveBinding, make_shard: Callable[[Path], None]) -> None:
    shard = path / SHARD
    shard.mkdir(parents=True)
    write_durably(path / BINDING, json.dumps(bindings.to_json(binding), indent=2))
    make_shard(shard)
    sync_folder(path)


def creations(folder: Path) -> list[str]:
    """Return the creations in a store's folder, sorted."""
    endings = (UNFINISHED, BESIDE)
    return sorted(path.name for path in folder.glob("*") if path.is_dir() and not path.name.endswith(endings))


def read_binding(creation: Path) -> ArchiveBinding:
    """Return what the creation in a folder is bound to.

    Raises:
        ArchiveNotReadyError: If it does not say.
    """
    try:
        data: Any = json.loads((creation / BINDING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        data = {}
    return bindings.from_json(creation.name, data if isinstance(data, dict) else {})
