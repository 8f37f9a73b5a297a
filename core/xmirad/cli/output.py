"""Prints results on standard output, for people or as JSON, and notes on standard error; writes files in one step."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.observability.fields import escape_controls

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PLAIN_WIDTH = 10_000
WARNING = "\x1b[1;31m{}\x1b[0m"


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
            _write(sys.stdout, json.dumps(plain(value), indent=2) + "\n")

    def raw(self, document: str) -> None:
        """Print a document that is JSON already; in ASCII where the terminal's encoding has not all its characters."""
        try:
            document.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            document = json.dumps(json.loads(document), indent=2) + "\n"
        _write(sys.stdout, document)

    def text(self, line: str = "", *, is_warning: bool = False) -> None:
        """Print a line for people; a warning is bold and red on a terminal."""
        if not self.as_json:
            is_red = is_warning and sys.stdout.isatty() and "NO_COLOR" not in os.environ
            _write(sys.stdout, (WARNING if is_red else "{}").format(escape_controls(line)) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, last_below: int | None = None) -> None:
        """Print a table for people. Nothing is cut: what is wider than the terminal is folded.

        Args:
            columns: Names of the columns; those that begin with `>` are aligned to the right.
            rows: The cells.
            last_below: If the table is wider than the terminal, the last column's cell goes on a line of its own below
                the cell of this column.
        """
        if self.as_json:
            return
        out = console(sys.stdout)
        cells = [[escape_controls(str(cell)) for cell in row] for row in rows]
        table = _table(columns, cells)
        if last_below is not None and _width(table, out) > out.width:
            table = _table(columns[:-1], [_with_last_below(row, last_below) for row in cells])
        with out.capture() as capture:
            out.print(table)
        _write(sys.stdout, "".join(line.rstrip() + "\n" for line in capture.get().splitlines()))

    def note(self, line: str) -> None:
        """Print a line that is no result."""
        sys.stderr.write(escape_controls(line) + "\n")
        sys.stderr.flush()


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for column in columns:
        justify: Literal["right", "left"] = "right" if column.startswith(">") else "left"
        table.add_column(Text(column.removeprefix(">")), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _width(table: "Table", out: "Console") -> int:
    """Return how wide a table is if nothing is folded."""
    from rich.measure import Measurement

    return Measurement.get(out, out.options.update(max_width=PLAIN_WIDTH), table).maximum


def _with_last_below(row: Sequence[str], column: int) -> list[str]:
    *cells, last = row
    cells[column] = f"{cells[column]}\n{last}"
    return cells


def _write(stream: TextIO, text: str) -> None:
    """Write to a terminal or file of any encoding; what it cannot show, such as an emoji in Latin-1, becomes `?`."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def check_output_file(file: Path, *, suffixes: Sequence[str]) -> None:
    """Check that a file can be written, before the work for it begins.

    Raises:
        InvalidRequestError: If its name has another suffix, or its folder is not there.
    """
    if file.suffix.lower() not in suffixes:
        message = f"the output's name must end with {' or '.join(suffixes)}, and {file.name} does not"
        raise InvalidRequestError(message, field="output", metadata={"allowed": ", ".join(suffixes)})
    if not file.parent.is_dir():
        raise InvalidRequestError(f"the folder of the output, {file.parent}, does not exist: make it", field="output")
    if file.is_dir():
        raise InvalidRequestError(f"the output, {file}, is a folder: name a file", field="output")


def check_output_folder(folder: Path) -> None:
    """Check that a folder is there or can be made, before the work for it begins.

    Raises:
        InvalidRequestError: If it or a folder above it is a file, or may not be written to.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise InvalidRequestError(f"the folder of the output, {folder}: {there} is not a folder", field="output")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidRequestError(f"the folder of the output, {folder}: {there} is not writable", field="output")


def replace_file(file: Path, data: bytes) -> None:
    """Write a file so that whoever reads it sees the one before or all of the new one.

    Raises:
        OSError: If it cannot be written.
    """
    temporary = file.with_name(f".{file.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


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
