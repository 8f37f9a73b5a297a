"""A disk that fails must look like a failing disk, never like an empty store: a search for orphans would believe it."""

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem

from support.catalogs import sqlite_catalog
from xmirad.blobs.fsspec_store import FolderBlobStore, RemoteBlobStore
from xmirad.catalog.orphans import orphaned_blobs
from xmirad.errors import BackendUnavailableError


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a folder that cannot be listed, as on a network file system that hangs together badly."""
    scandir = os.scandir

    def break_folder(broken: Path) -> None:
        def failing(path: Any = ".") -> Any:  # noqa: ANN401
            if not isinstance(path, int) and Path(path) == broken:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", failing)

    return break_folder


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, unreadable: Callable[[Path], None]) -> None:
    store = FolderBlobStore(tmp_path)
    store.put("items/chest/1/1.json", b"{}")
    unreadable(tmp_path / "items" / "chest")
    with pytest.raises(BackendUnavailableError) as caught:
        list(store.list("items/"))
    assert str(tmp_path) not in caught.value.message


def test_orphans_on_a_failing_disk_are_an_error(tmp_path: Path, unreadable: Callable[[Path], None]) -> None:
    blobs, catalog = FolderBlobStore(tmp_path / "blobs"), sqlite_catalog(tmp_path)
    blobs.put("inputs/ab/abcd.recipe.generation", b"pixels")
    unreadable(tmp_path / "blobs" / "inputs" / "ab")
    with pytest.raises(BackendUnavailableError):
        list(orphaned_blobs(catalog.database, blobs, now=math.inf))
    catalog.database.close()


def test_a_folder_that_is_deleted_while_it_is_listed_is_passed_over(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    for key in ("items/a/1", "items/b/1"):
        store.put(key, b"")
    listed = store.list("items/")
    assert next(listed) == "items/a/1"
    store.delete("items/b/1")
    assert list(listed) == []


def test_a_blob_that_cannot_be_deleted_or_looked_for_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderBlobStore(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "stat", fail)
    with pytest.raises(BackendUnavailableError):
        store.exists("items/a")
    monkeypatch.undo()
    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(BackendUnavailableError):
        store.delete("items/a")


def test_a_leftover_that_its_writer_finishes_meanwhile_does_not_keep_others_from_being_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderBlobStore(tmp_path)
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "finished-meanwhile"]))
    store.clear_unfinished()


class NetworkFolder(AbstractFileSystem):  # type: ignore[misc]  # fsspec carries no types
    """A file system over a network that breaks, with nothing of its own but a listing."""

    is_broken = False

    def ls(self, path: str, detail: bool = True, **_: object) -> list[Any]:
        folders = {"root/items": ("root/items/chest", "directory"), "root/items/chest": ("root/items/chest/1", "file")}
        if self.is_broken and path == "root/items/chest":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if path not in folders:
            raise FileNotFoundError(path)
        name, kind = folders[path]
        return [{"name": name, "type": kind, "size": 1}] if detail else [name]


def test_a_remote_folder_that_cannot_be_listed_is_an_error() -> None:
    files = NetworkFolder(skip_instance_cache=True)
    store = RemoteBlobStore(files, "root")
    assert list(store.list("items/")) == ["items/chest/1"]
    assert list(store.list("nothing/")) == []
    files.is_broken = True
    with pytest.raises(BackendUnavailableError):
        list(store.list("items/"))
