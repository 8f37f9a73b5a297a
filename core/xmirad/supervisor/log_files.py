"""Log files of supervised processes: bounded, and quoted when something fails."""

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 20 * 1024 * 1024
TAIL_LINES = 20
TAIL_BYTES = 8_000


def rotate(log: Path) -> None:
    """Move a large log's content to `<name>.old`. Its writer appends, so it goes on at the beginning."""
    try:
        large = log.stat().st_size > MAX_LOG_BYTES
    except FileNotFoundError:
        return
    if large:
        shutil.copy2(log, log.with_suffix(".log.old"))
        os.truncate(log, 0)


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
