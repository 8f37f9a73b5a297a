"""Room on the file systems that are written to."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from xmirad.doctor.findings import Finding, failed, ok, skipped, warning
from xmirad.home import LEAST_FREE_BYTES, Home, Reader, existing_part
from xmirad.settings import Settings, StoreKind

GIB = 1024**3
LEAST_BYTES = GIB
LEAST_HOME_BYTES = LEAST_FREE_BYTES
"""Where images and embeddings lie elsewhere, as in a container."""
LEAST_INODES = 10_000
SCARCE_SHARE = 0.1
"""As in the alert DiskFull."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is free on one file system.

    Attributes:
        folders: What lies there, by name.
        path: A folder on it.
        size: Bytes altogether.
        free: Bytes that are free to this user.
        inodes: Files that may still be made; None where the file system does not count them.
    """

    folders: str
    path: Path
    size: int
    free: int
    inodes: int | None


def check_disk(settings: Settings, *, read: Reader = os.statvfs) -> Iterator[Finding]:
    """Yield a finding for each file system.

    Args:
        settings: Settings.
        read: Returns the figures of the file system of a folder.
    """
    for folders in _by_device(_folders(settings)):
        try:
            yield _judged(_room(folders, read))
        except OSError as error:
            path = next(iter(folders.values()))
            yield failed("disk", f"{path} cannot be looked at ({error.strerror})", "run as the user who owns it")
    if settings.blobs_folder is None:
        scheme = urlsplit(settings.blobs_url).scheme
        yield skipped("disk", f"the blob store is no folder but {scheme}: its room is not looked at")


def _folders(settings: Settings) -> dict[str, Path]:
    folders = {"home": settings.home}
    if settings.store.kind is StoreKind.EDGE:
        folders["store"] = Home(settings.home).store
    if settings.blobs_folder is not None:
        folders["blobs"] = settings.blobs_folder
    return folders


def _by_device(folders: Mapping[str, Path]) -> list[dict[str, Path]]:
    devices: dict[int, dict[str, Path]] = {}
    for name, folder in folders.items():
        present = existing_part(folder)
        devices.setdefault(present.stat().st_dev, {})[name] = present
    return list(devices.values())


def _room(folders: Mapping[str, Path], read: Reader) -> Room:
    path = next(iter(folders.values()))
    figures = read(path)
    return Room(
        folders=", ".join(folders),
        path=path,
        size=figures.f_blocks * figures.f_frsize,
        free=figures.f_bavail * figures.f_frsize,
        inodes=figures.f_favail if figures.f_files else None,
    )


def _judged(room: Room) -> Finding:
    name = f"disk ({room.folders})"
    found = f"{room.free / GIB:.1f} of {room.size / GIB:.1f} GiB free at {room.path}"
    remedy = "free or add room; explanations.cache_bytes bounds the occlusion cache, `xmirad archive delete` an archive"
    if room.inodes is not None and room.inodes < LEAST_INODES:
        message = f"only {room.inodes} more files can be made at {room.path}"
        return failed(name, message, "delete files, or move blobs.url to a file system with more inodes")
    if room.free < (LEAST_HOME_BYTES if room.folders == "home" else LEAST_BYTES):
        return failed(name, found, remedy)
    if room.free < SCARCE_SHARE * room.size:
        return warning(name, found, remedy)
    return ok(name, found)
