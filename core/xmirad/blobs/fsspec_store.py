"""A blob store on any file system that fsspec knows; folders get the care of their own that durability needs."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from uuid import uuid4

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem

from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.errors import BackendUnavailableError

STALE_PARTIAL_SECONDS = 3600.0


def open_blob_store(url: str) -> BlobStore:
    """Return the blob store at a path or URL such as `/srv/blobs`, `s3://bucket/prefix` or `memory://test`."""
    # Other processes write too: what was listed a while ago is no answer.
    filesystem, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    if isinstance(filesystem, LocalFileSystem):
        return FolderBlobStore(Path(root))
    return RemoteBlobStore(filesystem, root)


class FolderBlobStore:
    """Blobs as files of a folder: written beside, flushed to disk, then renamed into place."""

    def __init__(self, root: Path) -> None:
        """Use a folder, made if it is not there, readable by its owner only."""
        self._root = root
        self._partial = root / ".partial"
        _make_folder(self._partial)

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Store a blob; see `BlobStore.put`."""
        path = str(self._path(key))
        if if_absent and _touch(path):
            return False
        partial = f"{self._partial}/{uuid4().hex}"
        try:
            self._write(partial, data)
            return self._publish(partial, path, if_absent=if_absent)
        except OSError as error:
            raise _unavailable("write", error) from error
        finally:
            with contextlib.suppress(FileNotFoundError):  # it was renamed
                os.unlink(partial)

    def sync(self, key: str) -> None:
        """Have a blob's name outlive a loss of power; see `BlobStore.sync`.

        One call is enough for all names before it: file systems with a journal, such as ext4 and XFS, commit in order.
        """
        folder = self._path(key).parent
        with _errors("write"):
            _sync_folder(folder)
            _sync_folder(folder.parent)

    def get(self, key: str) -> bytes:
        """Return a blob; see `BlobStore.get`."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as error:
            raise BlobNotFoundError(key) from error
        except OSError as error:
            raise _unavailable("read", error) from error

    def exists(self, key: str) -> bool:
        """Return whether a blob is there."""
        with _errors("read"):
            return self._path(key).exists()

    def put_time(self, key: str) -> float | None:
        """Return when a blob was put last; see `BlobStore.put_time`."""
        try:
            return self._path(key).stat().st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable("read", error) from error

    def delete(self, key: str) -> None:
        """Delete a blob if it is there, and the folders that it leaves empty."""
        path = self._path(key)
        with _errors("delete"):
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._root or not folder.exists():
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix in sorted order; what is deleted meanwhile may be left out."""
        for folder, folders, files in os.walk(self._path(prefix), onerror=_refuse_unreadable):
            folders.sort()
            relative = Path(folder).relative_to(self._root).as_posix()
            yield from (f"{relative}/{name}" for name in sorted(files))

    def clear_unfinished(self) -> None:
        """Delete what killed writers have left; see `BlobStore.clear_unfinished`."""
        with _errors("delete"):
            for leftover in self._partial.iterdir():
                with contextlib.suppress(FileNotFoundError):  # its writer has finished
                    if time.time() - leftover.stat().st_mtime > STALE_PARTIAL_SECONDS:
                        leftover.unlink()

    def _path(self, key: str) -> Path:
        if any(part in {"", ".", ".."} for part in key.removesuffix("/").split("/")) or "\0" in key:
            raise ValueError(f"not a blob key: {key!r}")
        return self._root / key

    def _write(self, path: str, data: bytes) -> None:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def _publish(self, partial: str, path: str, *, if_absent: bool) -> bool:
        while True:
            try:
                if if_absent:
                    os.link(partial, path)
                else:
                    os.replace(partial, path)
            except FileExistsError:
                return False
            except FileNotFoundError:  # there is no folder yet, or a delete has removed it, which was empty
                if not os.path.exists(partial):
                    raise
                _make_folder(Path(path).parent)
                continue
            return True


class RemoteBlobStore:
    """Blobs as objects of a remote store, whose writes are atomic by themselves."""

    def __init__(self, filesystem: fsspec.AbstractFileSystem, root: str) -> None:
        """Use a path of a file system."""
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        find = getattr(type(filesystem), "_find", type(filesystem).find)
        self._finds_by_itself = find not in (fsspec.AbstractFileSystem.find, AsyncFileSystem._find)

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Store a blob; see `BlobStore.put`."""
        path = self._path(key)
        try:
            if if_absent and self._filesystem.exists(path):
                return False
            self._filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            self._filesystem.pipe_file(path, data, mode="create" if if_absent else "overwrite")
        except FileExistsError:
            return False
        except OSError as error:
            raise _unavailable("write", error) from error
        return True

    def sync(self, key: str) -> None:
        """Do nothing: an object that is stored is durable; see `BlobStore.sync`."""

    def get(self, key: str) -> bytes:
        """Return a blob; see `BlobStore.get`."""
        try:
            return bytes(self._filesystem.cat_file(self._path(key)))
        except FileNotFoundError as error:
            raise BlobNotFoundError(key) from error
        except OSError as error:
            raise _unavailable("read", error) from error

    def exists(self, key: str) -> bool:
        """Return whether a blob is there."""
        with _errors("read"):
            return bool(self._filesystem.exists(self._path(key)))

    def put_time(self, key: str) -> float | None:
        """Return when a blob was put last; see `BlobStore.put_time`."""
        try:
            put: datetime = self._filesystem.modified(self._path(key))
        except FileNotFoundError:
            return None
        except NotImplementedError:
            return time.time() if self.exists(key) else None
        except OSError as error:
            raise _unavailable("read", error) from error
        return (put if put.tzinfo else put.replace(tzinfo=UTC)).timestamp()

    def delete(self, key: str) -> None:
        """Delete a blob if it is there."""
        path = self._path(key)
        with _errors("delete"), contextlib.suppress(FileNotFoundError):
            if self._filesystem.exists(path):
                self._filesystem.rm_file(path)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix in sorted order."""
        base = f"{self._root}/"
        with _errors("list"):
            found = sorted(self._files(self._path(prefix.removesuffix("/"))))
        for path in found:
            yield path.removeprefix(base)

    def clear_unfinished(self) -> None:
        """Do nothing: an object is there or not; see `BlobStore.clear_unfinished`."""

    def _files(self, path: str) -> Iterator[str]:
        """Yield the files below a path. fsspec's own way, for stores without one, passes over unreadable folders."""
        if self._finds_by_itself:
            yield from self._filesystem.find(path)
            return
        try:
            entries = self._filesystem.ls(path, detail=True)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry["type"] != "directory":
                yield entry["name"]
            elif entry["name"].rstrip("/") != path:
                yield from self._files(entry["name"].rstrip("/"))

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


def _touch(path: str) -> bool:
    """Return whether a file is there, and have it count as written now, so that nobody takes it for left over."""
    try:
        os.utime(path)
    except OSError:  # it may be there and somebody else's
        return os.path.exists(path)
    return True


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, closed to other users, even while others delete and make the same ones."""
    while True:
        try:
            if stat.S_ISDIR(folder.stat().st_mode):
                return
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except FileNotFoundError:
            _make_folder(folder.parent)
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                folder.mkdir(mode=0o700)


def _refuse_unreadable(error: OSError) -> None:
    """Let nobody take a folder that cannot be read for an empty one: a rebuild would delete what it does not see."""
    if not isinstance(error, FileNotFoundError):
        raise _unavailable("list", error) from error


@contextlib.contextmanager
def _errors(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unavailable(action, error) from error


def _sync_folder(folder: Path) -> None:
    """Have a folder's new entries on disk; nothing to do if the folder is gone."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unavailable(action: str, error: OSError) -> BackendUnavailableError:
    """Say what failed without naming a path."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    message = f"the blob store cannot {action}: {reason}"
    return BackendUnavailableError(message, metadata={"backend": "blobs", "cause": reason}, retry_delay_seconds=5.0)
