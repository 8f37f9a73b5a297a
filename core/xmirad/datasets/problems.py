"""Errors of data set readers, so that all of them name the file, the line and the value at fault."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmirad.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was said: a line of a list or a table, counted from 1, the header being line 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        """Return file name and line for a message."""
        return f"{self.file.name}, line {self.line}"


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A file that a list names and the disk does not have."""

    place: Place
    name: str


def value_error(place: Place, column: str, *, value: str, allowed: str) -> InvalidRequestError:
    """Say that a value is not allowed, and what is."""
    return InvalidRequestError(
        f"{place}: {column} is {value!r}; it must be {allowed}",
        field=column,
        metadata={
            "file": str(place.file),
            "line": str(place.line),
            "column": column,
            "value": value,
            "allowed": allowed,
        },
    )


def require_files(missing: Sequence[MissingFile]) -> None:
    """Refuse a list that names files that are not there.

    Raises:
        InvalidRequestError: If there is any. It names the first and says how many there are.
    """
    if not missing:
        return
    first = missing[0]
    more = f" ({len(missing)} missing files in all)" if len(missing) > 1 else ""
    raise InvalidRequestError(
        f"{first.place}: there is no file {first.name!r}{more}",
        field="path",
        metadata={
            "list": str(first.place.file),
            "line": str(first.place.line),
            "file": first.name,
            "missing_files": str(len(missing)),
        },
    )


def choice_error(field: str, value: str, *, allowed: Iterable[str], where: str) -> InvalidRequestError:
    """Say that something that was asked for is not there, and what is."""
    known = ", ".join(allowed) or "none"
    return InvalidRequestError(
        f"{where} has no {field} {value!r}; it has: {known}", field=field, metadata={"value": value, "allowed": known}
    )
