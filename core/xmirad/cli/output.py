"""Prints results on standard output, for people or as JSON, and notes on standard error."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from xmirad.observability.fields import escape_controls

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """Where a command prints.

    Attributes:
        as_json: Print results as JSON.
    """

    as_json: bool = False

    def json(self, value: object) -> None:
        """Print a value as JSON, if JSON is wanted; dataclasses become objects, bytes are left out."""
        if self.as_json:
            sys.stdout.write(json.dumps(plain(value), indent=2) + "\n")
            sys.stdout.flush()

    def raw(self, document: str) -> None:
        """Print a document that is JSON already."""
        sys.stdout.write(document)
        sys.stdout.flush()

    def text(self, line: str = "") -> None:
        """Print a line for people."""
        if not self.as_json:
            sys.stdout.write(escape_controls(line) + "\n")
            sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table for people; columns whose name begins with `>` are aligned to the right."""
        if self.as_json:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
        for column in columns:
            table.add_column(Text(column.removeprefix(">")), justify="right" if column.startswith(">") else "left")
        for row in rows:
            table.add_row(*(Text(escape_controls(str(cell))) for cell in row))
        out = console(sys.stdout)
        with out.capture() as capture:
            out.print(table)
        sys.stdout.writelines(line.rstrip() + "\n" for line in capture.get().splitlines())

    def note(self, line: str) -> None:
        """Print a line that is no result."""
        sys.stderr.write(escape_controls(line) + "\n")
        sys.stderr.flush()


def console(stream: TextIO) -> "Console":
    """Return a console for a stream: as wide as needed and without colors unless the stream is a terminal."""
    from rich.console import Console

    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False)
    return Console(
        file=stream, highlight=False, markup=False, width=PLAIN_WIDTH, color_system=None, force_terminal=False
    )


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of ours in, any JSON value out
    """Return a value as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items() if not isinstance(item, bytes)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, str | Path) else value
