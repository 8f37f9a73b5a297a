import os
from pathlib import Path

import pytest

from xmirad.doctor.disk import GIB, check_disk
from xmirad.doctor.findings import Finding, State
from xmirad.settings_sources import load_settings

BLOCK = 4096


def figures(*, free: float, size: float = 100 * GIB, free_inodes: int = 1_000_000, inodes: int = 2_000_000) -> object:
    """Return what a file system with so many bytes says."""
    blocks, free_blocks = int(size / BLOCK), int(free / BLOCK)
    return os.statvfs_result((BLOCK, BLOCK, blocks, free_blocks, free_blocks, inodes, free_inodes, free_inodes, 0, 255))


def examined(home: Path, statistics: object, **settings: object) -> list[Finding]:
    def read(_path: Path) -> os.statvfs_result:
        assert isinstance(statistics, os.statvfs_result)
        return statistics

    return list(check_disk(load_settings({"home": home, **settings}), read=read))


@pytest.mark.parametrize(
    ("statistics", "state"),
    [
        (figures(free=50 * GIB), State.OK),
        (figures(free=9 * GIB), State.WARNING),
        (figures(free=0.9 * GIB), State.FAILED),
        (figures(free=0), State.FAILED),
        (figures(free=50 * GIB, free_inodes=9_999), State.FAILED),
        (figures(free=50 * GIB, free_inodes=0, inodes=0), State.OK),
    ],
    ids=["roomy", "scarce", "nearly full", "full", "no inodes", "inodes not counted"],
)
def test_room_is_judged_by_bytes_and_inodes(tmp_path: Path, statistics: object, state: State) -> None:
    (found,) = examined(tmp_path, statistics)
    assert found.state is state
    assert bool(found.remedy) == (state is not State.OK)


def test_folders_of_one_file_system_are_one_finding_and_none_is_made(tmp_path: Path) -> None:
    (found,) = examined(tmp_path / "not" / "there", figures(free=50 * GIB))
    assert found.name == "disk (home, store, blobs)"
    assert list(tmp_path.iterdir()) == []


def test_a_home_whose_data_lie_elsewhere_needs_little_room(tmp_path: Path) -> None:
    elsewhere = {"store": {"kind": "qdrant"}, "blobs": {"url": "s3://bucket/prefix"}}
    half = figures(free=GIB / 2, size=GIB)
    assert examined(tmp_path, half, **elsewhere)[0].state is State.OK
    assert examined(tmp_path, half)[0].state is State.FAILED


def test_an_object_store_is_said_to_be_passed_over(tmp_path: Path) -> None:
    found = examined(tmp_path, figures(free=50 * GIB), blobs={"url": "s3://bucket/prefix"})
    assert [finding.state for finding in found] == [State.OK, State.SKIPPED]
    assert "s3" in found[1].found


def test_a_folder_that_cannot_be_looked_at_is_a_finding(tmp_path: Path) -> None:
    def read(_path: Path) -> os.statvfs_result:
        raise PermissionError(13, "Permission denied")

    (found,) = check_disk(load_settings({"home": tmp_path}), read=read)
    assert found.state is State.FAILED
    assert "Permission denied" in found.found


def test_the_real_file_system_is_read(tmp_path: Path) -> None:
    (found,) = check_disk(load_settings({"home": tmp_path}))
    assert "GiB free" in found.found
