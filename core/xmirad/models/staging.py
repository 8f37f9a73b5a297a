"""Writing a model so that it is there completely or not at all."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".building-"
ABANDONED_SECONDS = 3600.0


@contextmanager
def staged_folder(models_dir: Path) -> Iterator[Path]:
    """Give a folder to write a model into; it is removed afterwards unless it was published.

    What a killed build left behind more than an hour ago is removed first.
    """
    models_dir.mkdir(parents=True, exist_ok=True)
    for left in models_dir.glob(f"{PREFIX}*"):
        if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=models_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Give a complete model its name in one step, after everything has reached the disk.

    A folder of that name is replaced: whoever calls has found it corrupt.
    """
    for path in [*folder.iterdir(), folder]:
        _flush(path)
    folder.chmod(0o755)
    if target.exists():
        target.rename(folder.with_name(f"{folder.name}-replaced"))
    folder.rename(target)
    _flush(target.parent)
    shutil.rmtree(folder.with_name(f"{folder.name}-replaced"), ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
