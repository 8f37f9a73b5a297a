"""The blob store, on a folder and on fsspec's memory file system."""

import os
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from xmirad.blobs.fsspec_store import FolderBlobStore, open_blob_store
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.errors import BackendUnavailableError


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return open_blob_store(str(tmp_path / "blobs") if request.param == "folder" else f"memory://{uuid4().hex}")


def test_a_blob_comes_back_as_it_was_put(store: BlobStore) -> None:
    assert store.put("items/a/1.json", b"\x00content")
    assert store.get("items/a/1.json") == b"\x00content"
    assert store.exists("items/a/1.json")


def test_putting_again_replaces_a_blob(store: BlobStore) -> None:
    store.put("items/a", b"first")
    assert store.put("items/a", b"second")
    assert store.get("items/a") == b"second"


def test_putting_if_absent_leaves_the_first_content(store: BlobStore) -> None:
    assert store.put("items/a", b"first", if_absent=True)
    assert not store.put("items/a", b"second", if_absent=True)
    assert store.get("items/a") == b"first"


def test_a_missing_blob_is_an_error_on_get_and_nothing_on_delete(store: BlobStore) -> None:
    with pytest.raises(BlobNotFoundError):
        store.get("items/missing")
    store.delete("items/missing")
    assert not store.exists("items/missing")


def test_a_deleted_blob_is_gone_and_its_neighbors_stay(store: BlobStore) -> None:
    store.put("items/a/1", b"1")
    store.put("items/a/2", b"2")
    store.delete("items/a/1")
    assert list(store.list("items/a/")) == ["items/a/2"]


def test_listing_is_sorted_and_ends_at_the_prefix(store: BlobStore) -> None:
    for key in ("items/b/2", "items/a/1", "items/a/10", "itemsx/1"):
        store.put(key, b"")
    assert list(store.list("items/")) == ["items/a/1", "items/a/10", "items/b/2"]
    assert list(store.list("nothing/")) == []


@pytest.mark.parametrize("if_absent", [False, True])
def test_a_blob_says_when_it_was_put_last(store: BlobStore, *, if_absent: bool) -> None:
    assert store.put_time("items/a") is None
    before = time.time()
    store.put("items/a", b"1", if_absent=if_absent)
    put = store.put_time("items/a")
    assert put is not None
    assert before - 1 <= put <= time.time() + 1


@pytest.mark.parametrize("if_absent", [False, True])
def test_a_blob_that_is_put_again_in_a_folder_is_no_old_one(tmp_path: Path, *, if_absent: bool) -> None:
    store = FolderBlobStore(tmp_path)
    store.put("items/a", b"1")
    os.utime(tmp_path / "items" / "a", (0, 0))
    assert store.put_time("items/a") == 0.0
    assert store.put("items/a", b"1", if_absent=if_absent) is not if_absent
    put = store.put_time("items/a")
    assert put is not None
    assert put >= time.time() - 60


def test_of_many_writers_that_put_if_absent_one_wins(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    outcomes: list[tuple[bytes, bool]] = []

    def write(content: bytes) -> None:
        outcomes.append((content, store.put("items/one", content, if_absent=True)))

    threads = [threading.Thread(target=write, args=(bytes([n]),)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [content for content, won in outcomes if won]
    assert winners == [store.get("items/one")]


def test_writers_and_deleters_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    failures: list[Exception] = []

    def churn(name: str) -> None:
        try:
            for _ in range(100):
                store.put(f"items/shared/{name}", b"x")
                store.delete(f"items/shared/{name}")
        except Exception as error:  # noqa: BLE001 - reported by the assertion
            failures.append(error)

    threads = [threading.Thread(target=churn, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("key", ["../outside", "items/../../outside", "/etc/passwd", "items//a", "items/\0"])
def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        FolderBlobStore(tmp_path / "blobs").put(key, b"")


def test_only_old_leftovers_of_killed_writers_are_cleared(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    old, fresh = tmp_path / ".partial" / "old", tmp_path / ".partial" / "fresh"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))
    store.clear_unfinished()
    assert [old.exists(), fresh.exists()] == [False, True]


def test_a_failing_disk_is_reported_without_a_path(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    (tmp_path / "items").write_bytes(b"a file where a folder should be")
    with pytest.raises(BackendUnavailableError) as caught:
        store.put("items/a", b"")
    assert caught.value.metadata["backend"] == "blobs"
    assert str(tmp_path) not in caught.value.message


def test_files_are_closed_to_other_users(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path / "blobs")
    store.put("items/a/1", b"")
    assert (tmp_path / "blobs" / "items" / "a" / "1").stat().st_mode & 0o077 == 0
    assert (tmp_path / "blobs" / "items").stat().st_mode & 0o077 == 0


def test_syncing_a_blob_flushes_its_folder_and_the_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderBlobStore(tmp_path)
    flushed: list[str] = []
    store.put("items/a/1", b"")
    flush = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store.sync("items/a/1")
    assert flushed == [str(tmp_path / "items" / "a"), str(tmp_path / "items")]
