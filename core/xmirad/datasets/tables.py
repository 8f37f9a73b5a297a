"""Reading text and CSV files strictly."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmirad.datasets.problems import Place
from xmirad.errors import InvalidRequestError
from xmirad.regular_files import read_text_file


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a CSV file: its cells by column, without the spaces around them."""

    place: Place
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_text(path: Path) -> str:
    r"""Return a UTF-8 file's text, without a byte order mark and with `\n` line ends.

    Raises:
        InvalidRequestError: If the file cannot be read, is not UTF-8, or is larger than any list (256 MiB).
    """
    try:
        return read_text_file(path, field="path", encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error.strerror}"
        raise InvalidRequestError(f"{path} {why}", field="path", metadata={"file": str(path)}) from error


def read_table(
    path: Path, *, required: Sequence[str], known: Sequence[str] = (), advice: Callable[[str], str] | None = None
) -> Table:
    """Read a CSV file with a header line.

    Args:
        path: The file.
        required: Columns that it must have.
        known: Columns that are found whatever the case, and with spaces or hyphens for underscores.
        advice: Returns the known column that an unknown one may stand for, or an empty string.

    Raises:
        InvalidRequestError: If the file is no CSV, lacks a required column or names it twice, or a row is too long or
            too short.
    """
    lines = read_text(path).split("\n")
    reader = csv.reader((line + "\n" for line in lines), strict=True)
    try:
        columns = tuple(_spelled(name.strip(), known) for name in next(reader, []))
        _check_columns(path, columns, required=required, known=known, advice=advice)
        rows = tuple(_row(Place(path, reader.line_num), cells, columns=columns) for cells in reader if any(cells))
    except csv.Error as error:
        raise InvalidRequestError(
            f"{path.name}, line {reader.line_num}: {error}",
            field="path",
            metadata={"file": str(path), "line": str(reader.line_num)},
        ) from error
    return Table(columns, rows)


def _spelled(name: str, known: Sequence[str]) -> str:
    word = name.lower().replace(" ", "_").replace("-", "_")
    return word if word in known else name


def _check_columns(
    path: Path,
    columns: tuple[str, ...],
    *,
    required: Sequence[str],
    known: Sequence[str],
    advice: Callable[[str], str] | None,
) -> None:
    for name in columns:
        if columns.count(name) > 1 and (name in required or name in known):
            raise _column_error(path, columns, name, f"names the column {name!r} more than once")
    for name in required:
        if name not in columns:
            meant = [repr(column) for column in columns if advice is not None and advice(column) == name]
            hint = f"; is it {' or '.join(meant)}? Rename that to {name!r}" if meant else ""
            allowed = f"; known are: {', '.join(known)}" if known else ""
            raise _column_error(path, columns, name, f"has no column {name!r}{_separator_hint(columns)}{hint}{allowed}")


def _column_error(path: Path, columns: tuple[str, ...], name: str, fault: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{path.name} {fault}; its columns are: {', '.join(columns)}",
        field=name,
        metadata={"file": str(path), "column": name, "columns": ", ".join(columns)},
    )


def _separator_hint(columns: tuple[str, ...]) -> str:
    """Say that a table of one column looks like one whose cells are separated by something else than commas."""
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and separator in columns[0]:
            return f" (its cells seem to be separated by {word}; they must be separated by commas)"
    return ""


def _row(place: Place, cells: list[str], *, columns: tuple[str, ...]) -> Row:
    if len(cells) != len(columns):
        raise InvalidRequestError(
            f"{place}: the row has {len(cells)} cells; the header has {len(columns)}",
            field="row",
            metadata={"file": str(place.file), "line": str(place.line), "cells": str(len(cells))},
        )
    return Row(place, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)})
