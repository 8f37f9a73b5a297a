"""Log files of supervised processes: bounded, and quoted when something fails."""

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 20 * 1024 * 1024
TAIL_LINES = 20
TAIL_BYTES = 8_000
MAX_SENTENCE = 400


def rotate(log: Path) -> None:
    """Move a large log's content to `<name>.old`. Its writer appends, so it goes on at the beginning."""
    try:
        large = log.stat().st_size > MAX_LOG_BYTES
    except FileNotFoundError:
        return
    if large:
        shutil.copy2(log, log.with_suffix(".log.old"))
        os.truncate(log, 0)


def tail(log: Path, *, begin: int = 0) -> str:
    """Return the last lines of a log, none from before `begin` bytes."""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(begin if begin <= end else 0, end - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def last_sentence(text: str) -> str:
    """Return the last line if it is made for people rather than a structured event."""
    lines = text.splitlines()
    return "" if not lines or lines[-1].startswith("{") else lines[-1][:MAX_SENTENCE]
