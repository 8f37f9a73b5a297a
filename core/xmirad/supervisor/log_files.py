"""Log files of supervised processes: bounded, and quoted when something fails."""

import os
import re
import shutil
from pathlib import Path

MAX_LOG_BYTES = 20 * 1024 * 1024
TAIL_LINES = 20
TAIL_BYTES = 8_000
MAX_SENTENCE = 400
ERROR_LINE = re.compile(r"xmirad: |Fatal Python error|[A-Za-z_.]+(Error|Exception)\b")


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


def last_error(text: str) -> str:
    """Return the line of a log's end that says why its process ended, or an empty string.

    That is the last line if it is made for people. Where structured events follow, it is the last line before them that
    names an exception or is a process's own report of its end.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and not lines[-1].startswith("{"):
        return lines[-1][:MAX_SENTENCE]
    return next((line[:MAX_SENTENCE] for line in reversed(lines) if ERROR_LINE.match(line)), "")
