"""Errors of data set readers, so that all of them name the file, the line and the value at fault."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmirad.datasets.dataset import Unreadable
from xmirad.errors import InvalidRequestError

NAMED = 10
"""So many of the files at fault are named in a message; the others are counted."""


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
    """A file that a list names and that cannot be read.

    Attributes:
        place: The line that names it.
        name: As it is named there.
        path: Where it was looked for.
        why: What is at fault, or an empty string: it does not exist.
    """

    place: Place
    name: str
    path: Path
    why: str = ""

    @property
    def reason(self) -> str:
        """Return a sentence that names the file."""
        return f"{self.name!r} {self.why}" if self.why else f"there is no file {self.name!r}"


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


def skip_or_refuse(missing: Sequence[MissingFile], *, skip: bool) -> list[Unreadable]:
    """Return the files that a list names and that are not there, or refuse the list for them.

    Raises:
        InvalidRequestError: If there is any and `skip` is not set. It names the first ten and says how many there are.
    """
    if skip or not missing:
        return [Unreadable(each.path, f"{each.place}: {each.reason}") for each in missing]
    first = missing[0]
    names = named([f"{each.name} (line {each.place.line})" for each in missing])
    several = f"; {len(missing)} files are missing: {names}" if len(missing) > 1 else ""
    raise InvalidRequestError(
        f"{first.place}: {first.reason}{several}; --skip-missing goes on without what is missing",
        field="path",
        metadata={
            "list": str(first.place.file),
            "line": str(first.place.line),
            "file": first.name,
            "missing_files": str(len(missing)),
        },
    )


def named(names: Sequence[str]) -> str:
    """Return the first ten of some names for a sentence, and how many there are beside them."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def choice_error(field: str, value: str, *, allowed: Iterable[str], where: str) -> InvalidRequestError:
    """Say that something that was asked for is not there, and what is."""
    known = ", ".join(allowed) or "none"
    return InvalidRequestError(
        f"{where} has no {field} {value!r}; it has: {known}", field=field, metadata={"value": value, "allowed": known}
    )
