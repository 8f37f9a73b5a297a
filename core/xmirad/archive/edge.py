"""Archives in Qdrant Edge shards below one folder."""

import os
from contextlib import suppress
from pathlib import Path

from xmirad.archive.binding import check_archive_id, check_binding
from xmirad.archive.edge_archive import EdgeArchive, create_shard, load_archive
from xmirad.archive.edge_folder import ArchiveFolder, FolderLock, creations
from xmirad.archive.port import ArchiveBinding
from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError, XmiradError
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
            index: What is made beside an archive. Every archive is flat until then.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._index = index
        self._lock = FolderLock(folder)
        self._open: dict[str, EdgeArchive] = {}

    @property
    def beside(self) -> "EdgeStore | None":
        """What makes graphs or codes; see `ArchiveStore.beside`."""
        return None if self._index is EdgeIndex.FLAT else self

    def create(self, binding: ArchiveBinding) -> EdgeArchive:
        """Create an archive, or open the one that is there; see `ArchiveStore.create`."""
        check_archive_id(binding.archive)
        folder = ArchiveFolder(self._folder, binding.creation)
        self._lock.acquire()
        if not folder.exists():
            folder.make(binding, lambda shard: create_shard(shard, binding, EdgeIndex.FLAT).close())
        return self.open(binding)

    def open(self, binding: ArchiveBinding) -> EdgeArchive:
        """Open an archive; see `ArchiveStore.open`."""
        folder = ArchiveFolder(self._folder, binding.creation)
        if not folder.exists():
            message = "the vector store does not hold the archive"
            raise ArchiveNotFoundError(message, metadata={"archive": binding.archive})
        check_binding(folder.binding(), binding)
        self._lock.acquire()
        opened = self._open.get(binding.creation)
        if opened is None or opened.closed:
            opened = self._open[binding.creation] = load_archive(folder.shard, binding)
        return opened

    def list(self) -> list[str]:
        """Return the creations of all archives, sorted."""
        return creations(self._folder)

    def drop(self, archive: str, creation: str) -> None:
        """Delete an archive; see `ArchiveStore.drop`."""
        folder = ArchiveFolder(self._folder, creation)
        self._lock.acquire()
        with suppress(XmiradError):  # a damaged shard may fail to close
            self._close(creation)
        folder.remove()

    def reset(self, binding: ArchiveBinding) -> EdgeArchive:
        """Replace an archive by an empty one; see `ArchiveStore.reset`."""
        self.drop(binding.archive, binding.creation)
        folder = ArchiveFolder(self._folder, binding.creation)
        folder.make(binding, lambda shard: create_shard(shard, binding, EdgeIndex.FLAT).close())
        return self.open(binding)

    def create_beside(self, binding: ArchiveBinding) -> EdgeArchive:
        """Create an empty archive beside the one that is used; see `Beside.create_beside`."""
        folder = ArchiveFolder(self._folder, binding.creation)
        folder.make_beside(binding, lambda shard: create_shard(shard, binding, self._index).close())
        return load_archive(folder.shard_beside, binding)

    def open_beside(self, binding: ArchiveBinding) -> EdgeArchive:
        """Open the archive beside; see `Beside.open_beside`."""
        folder = ArchiveFolder(self._folder, binding.creation)
        if not folder.shard_beside.is_dir():
            raise _nothing_beside(binding)
        return load_archive(folder.shard_beside, binding)

    def take_beside(self, binding: ArchiveBinding) -> EdgeArchive:
        """Put the archive beside in the place of the one that is used; see `Beside.take_beside`."""
        self._lock.acquire()
        folder = ArchiveFolder(self._folder, binding.creation)
        if not folder.shard_beside.is_dir():
            raise _nothing_beside(binding)
        self._close(binding.creation)
        folder.take_beside()
        return self.open(binding)

    def ping(self) -> None:
        """Check that the folder can be written to; see `ArchiveStore.ping`."""
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise BackendUnavailableError("the vector store's folder is not writable", metadata={"backend": "edge"})

    def close(self) -> None:
        """Close every archive and give the folder back."""
        for creation in list(self._open):
            self._close(creation)
        self._lock.release()

    def _close(self, creation: str) -> None:
        opened = self._open.pop(creation, None)
        if opened is not None:
            opened.close()


def _nothing_beside(binding: ArchiveBinding) -> ArchiveNotFoundError:
    return ArchiveNotFoundError("nothing was made beside the archive", metadata={"archive": binding.archive})
