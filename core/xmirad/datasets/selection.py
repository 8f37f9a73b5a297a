"""What of a data set is read: glob patterns, frames, and where the images lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from xmirad.errors import InvalidRequestError

ANY_FOLDERS = "**"


class FrameChoice(StrEnum):
    """Which frames of a DICOM file with several are read."""

    ALL = "all"
    FIRST = "first"
    MIDDLE = "middle"


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a data set is read.

    A pattern without a slash matches a file or folder of that name at any depth (`masks`, `*.mp4`); one with a slash
    matches the path relative to the folder of the images from its beginning, where `*` stays within a name and `**` is
    any folders (`./masks`, `*/masks/*`, `train/**`). What lies below a folder that matches does too. Case matters.

    Attributes:
        include: If there are any, only files that match one are read.
        exclude: Files that match one are not read, whatever `include` says.
        images: Folder of the images that a list or a manifest names; None: where the layout has them.
        skip_missing: Count files that a list names and the disk does not have as unreadable, instead of refusing.
        frames: Frames of a multi-frame DICOM file for which no frame is named.
        follow_links: Follow links to folders outside of the data set's own.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    images: Path | None = None
    skip_missing: bool = False
    frames: FrameChoice = FrameChoice.ALL
    follow_links: bool = True

    def __post_init__(self) -> None:
        """Refuse an empty pattern.

        Raises:
            InvalidRequestError: If there is one.
        """
        for field, patterns in (("include", self.include), ("exclude", self.exclude)):
            if not all(pattern.strip("/") for pattern in patterns):
                raise InvalidRequestError(
                    f"{field} has an empty pattern; it must be a glob such as '*.png'", field=field
                )


EVERYTHING = Selection()


class PathFilter:
    """Applies the patterns of a selection and remembers which of them matched anything."""

    def __init__(self, selection: Selection) -> None:
        """Begin with no path seen."""
        self._selection = selection
        self._unused = dict.fromkeys(selection.include + selection.exclude)

    def takes(self, name: str) -> bool:
        """Return whether a file is read; `name` is its path relative to the data set's folder, with slashes."""
        taken = self._matched(self._selection.include, name) or not self._selection.include
        return taken and not self.excludes(name)

    def excludes(self, name: str) -> bool:
        """Return whether a file, or all that is below a folder, is left out by name."""
        return self._matched(self._selection.exclude, name)

    @property
    def warnings(self) -> list[str]:
        """Return a sentence for every pattern that matched nothing."""
        return [f"the pattern {pattern!r} matches no file" for pattern in self._unused]

    def _matched(self, patterns: Sequence[str], name: str) -> bool:
        parts = name.split("/")
        matching = [pattern for pattern in patterns if _matches(_components(pattern), parts)]
        for pattern in matching:
            self._unused.pop(pattern, None)
        return bool(matching)


@cache
def _components(pattern: str) -> tuple[str, ...]:
    parts = pattern.removeprefix("./").strip("/").split("/")
    anywhere = len(parts) == 1 and not pattern.startswith("./")
    return (ANY_FOLDERS, *parts) if anywhere else tuple(parts)


def _matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Return whether a path, or a folder that it begins with, matches; takes time linear in both."""
    ends = {0}
    for component in pattern:
        if component == ANY_FOLDERS:
            ends = set(range(min(ends), len(parts) + 1))
        else:
            ends = {end + 1 for end in ends if end < len(parts) and fnmatchcase(parts[end], component)}
        if not ends:
            return False
    return True
