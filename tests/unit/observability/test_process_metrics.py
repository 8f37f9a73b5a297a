"""The disks that a process writes to, each with figures of its own."""

import math
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from xmirad.observability.process_metrics import show_process, written_folders
from xmirad.settings_sources import load_settings


class Disk(NamedTuple):
    """What a disk says."""

    total: int
    free: int


def free_bytes(registry: CollectorRegistry, folder: str) -> float | None:
    return registry.get_sample_value("xmirad_disk_free_bytes", {"folder": folder})


def test_blobs_and_home_are_measured_each_on_its_own_disk(tmp_path: Path) -> None:
    home, blobs = tmp_path / "home", tmp_path / "blobs"
    home.mkdir()
    blobs.mkdir()
    folders = written_folders(load_settings({"home": home, "blobs": {"url": blobs.as_uri()}}))
    registry = CollectorRegistry()

    disks = {home: Disk(64, 60), blobs: Disk(1000, 5)}
    show_process(registry, process="any", folders=folders, usage=disks.__getitem__)

    assert (free_bytes(registry, "home"), free_bytes(registry, "blobs")) == (60, 5)
    assert registry.get_sample_value("xmirad_disk_size_bytes", {"folder": "blobs"}) == 1000


def test_an_object_store_has_no_disk_here(tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path, "blobs": {"url": "s3://bucket/prefix"}})
    assert list(written_folders(settings)) == ["home"]


def test_a_folder_that_is_not_made_yet_counts_as_where_it_will_be(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    disks = {tmp_path: Disk(10, 3)}
    show_process(registry, process="any", folders={"blobs": tmp_path / "not" / "yet"}, usage=disks.__getitem__)
    assert free_bytes(registry, "blobs") == 3


def test_a_disk_that_cannot_be_looked_at_does_not_cost_the_page(tmp_path: Path) -> None:
    def broken(_folder: Path) -> Disk:
        raise OSError("stale")

    registry = CollectorRegistry()
    show_process(registry, process="any", folders={"home": tmp_path}, usage=broken)
    value = free_bytes(registry, "home")
    assert value is not None
    assert math.isnan(value)
