"""Shows how far indexing is: a bar on a terminal, else a plain line now and then."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from xmirad.cli.output import Output, console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0


class Meter(Protocol):
    """Is told how far something is."""

    def update(self, done: int, failed: int) -> None:
        """Show how many are done, and how many of them failed."""
        ...


@contextmanager
def meter(title: str, total: int, output: Output) -> Iterator[Meter]:
    """Show the progress of something for the length of the block.

    Args:
        title: What is done, such as `Indexing`.
        total: How many there are.
        output: Where the command prints.
    """
    if not sys.stderr.isatty():
        lines = _Lines(title, total, output)
        yield lines
        lines.finish()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=console(sys.stderr)) as progress:
        yield _Bar(progress, progress.add_task(title, total=total, rate="", failed=""))


class _Bar:
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task
        self._started = time.monotonic()

    def update(self, done: int, failed: int) -> None:
        rate = done / max(time.monotonic() - self._started, 1e-9)
        self._progress.update(
            self._task, completed=done, rate=f"{rate:.1f}/s", failed=f"{failed} failed" if failed else ""
        )


class _Lines:
    def __init__(self, title: str, total: int, output: Output) -> None:
        self._title = title
        self._total = total
        self._output = output
        self._started = self._last = time.monotonic()
        self._latest = (0, 0)

    def update(self, done: int, failed: int) -> None:
        self._latest = done, failed
        if time.monotonic() - self._last >= LINE_SECONDS:
            self._print()

    def finish(self) -> None:
        self._print()

    def _print(self) -> None:
        self._last = time.monotonic()
        done, failed = self._latest
        seconds = max(self._last - self._started, 1e-9)
        rate = done / seconds
        left = f", {(self._total - done) / rate:.0f} s left" if 0 < done < self._total else f", {seconds:.1f} s"
        self._output.note(f"{self._title}: {done}/{self._total}, {rate:.1f}/s{left}, {failed} failed")
