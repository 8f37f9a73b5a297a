"""Archives in Qdrant Edge shards below one folder."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from xmirad.archive.binding import check_binding
from xmirad.archive.edge_archive import EdgeArchive, create_shard, load_archive
from xmirad.archive.edge_folder import POINTER, SHARD, ArchiveFolder, FolderLock
from xmirad.archive.port import ArchiveBinding, StoredItem
from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError
from xmirad.types import EdgeIndex


class EdgeStore:
    """The embedded store: the process that uses a shard first owns the folder until it closes the store or dies.

    Use a store and all its archives from **one thread**; a service gives them an executor of one. The engine holds the
    interpreter lock, so more threads would gain nothing. Opening an archive twice returns the same object.
    """

    kind = "edge"

    def __init__(self, folder: Path, *, index: EdgeIndex = EdgeIndex.FLAT) -> None:
        """Remember the folder, making it if it is not there; nothing is opened or locked yet.

        Args:
            folder: Where the archives are.
            index: What `rebuilt` makes. Every archive keeps what it was made with; a new one is flat until then.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._index = index
        self._lock = FolderLock(folder)
        self._open: dict[str, EdgeArchive] = {}

    def create(self, binding: ArchiveBinding) -> EdgeArchive:
        """Create an archive, or open the one that is there; see `ArchiveStore.create`."""
        folder = ArchiveFolder(self._folder, binding.archive)
        self._lock.acquire()
        if folder.current() is None:
            folder.sweep()
            version = folder.new_version(binding)
            create_shard(version / SHARD, binding).close()
            folder.switch(version)
        return self.open(binding)

    def open(self, binding: ArchiveBinding) -> EdgeArchive:
        """Open an archive; see `ArchiveStore.open`."""
        folder = ArchiveFolder(self._folder, binding.archive)
        version = folder.current()
        if version is None:
            message = "there is no archive of that name"
            raise ArchiveNotFoundError(message, metadata={"archive": binding.archive})
        check_binding(folder.binding(version), binding)
        self._lock.acquire()
        opened = self._open.get(binding.archive)
        if opened is None or opened.closed:
            folder.sweep()
            opened = load_archive(version / SHARD, binding)
            self._open[binding.archive] = opened
        return opened

    def list(self) -> list[str]:
        """Return the ids of all archives, sorted."""
        return sorted(pointer.parent.name for pointer in self._folder.glob(f"*/{POINTER}"))

    def drop(self, archive: str) -> None:
        """Delete an archive; see `ArchiveStore.drop`."""
        folder = ArchiveFolder(self._folder, archive)
        self._lock.acquire()
        self._close(archive)
        folder.remove()

    def rebuilt(self, binding: ArchiveBinding, batches: Iterable[Sequence[StoredItem]]) -> EdgeArchive:
        """Fill a fresh version and switch to it; see `ArchiveStore.rebuilt`."""
        folder = ArchiveFolder(self._folder, binding.archive)
        self._lock.acquire()
        folder.sweep()
        version = folder.new_version(binding)
        fresh = EdgeArchive(binding, create_shard(version / SHARD, binding, self._index), self._index)
        try:
            for batch in batches:
                fresh.upsert(batch)
            fresh.optimize()
            fresh.flush()
            folder.switch(version)
        except BaseException:
            fresh.close()
            folder.discard(version)
            raise
        self._close(binding.archive)
        self._open[binding.archive] = fresh
        folder.sweep()
        return fresh

    def ping(self) -> None:
        """Check that the folder can be written to; see `ArchiveStore.ping`."""
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise BackendUnavailableError("the vector store's folder is not writable", metadata={"backend": "edge"})

    def close(self) -> None:
        """Close every archive and give the folder back."""
        for archive in list(self._open):
            self._close(archive)
        self._lock.release()

    def _close(self, archive: str) -> None:
        opened = self._open.pop(archive, None)
        if opened is not None:
            opened.close()
