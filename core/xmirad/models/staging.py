"""Writing a model so that it is there completely or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".building-"
LOCK = ".lock"


@contextmanager
def one_build_at_a_time(models_dir: Path) -> Iterator[None]:
    """Wait for builds of other processes in this folder, and remove what a killed one left behind."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with (models_dir / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in models_dir.glob(f"{PREFIX}*"):
            shutil.rmtree(left)
        yield


@contextmanager
def staged_folder(models_dir: Path) -> Iterator[Path]:
    """Give a folder to write a model into; it is removed afterwards unless it was published."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=models_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Give a complete model its name in one step, after everything has reached the disk.

    A folder of that name is replaced: whoever calls has found it corrupt.
    """
    folder.chmod(0o755)
    for path in [*folder.iterdir(), folder]:
        _flush(path)
    replaced = folder.with_name(f"{folder.name}-replaced")
    if target.exists():
        target.rename(replaced)
    folder.rename(target)
    _flush(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
