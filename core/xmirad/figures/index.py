"""The folder of figures, and the list of what is in it.

`figures.json` is `{"schema": "xmirad.figures/1", "figures": [...]}`, each figure with `name`, `title`, `caption`,
`file`, `numbers` and `details`. `file` is the PNG; the SVG lies beside it. What could not be drawn stands under
`omitted`, with the reason.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xmirad.errors import InvalidRequestError
from xmirad.figures.catalog import NAMES

SCHEMA = "xmirad.figures/1"
FILE_NAME = "figures.json"
Number = float | int | str
_FIGURE_FIELDS = ("name", "title", "caption", "file", "numbers", "details")
_OMISSION_FIELDS = ("name", "reason", "message")


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A figure that was drawn.

    Attributes:
        name: One of `xmirad.figures.catalog.NAMES`.
        title: A few words.
        caption: Model, number of images, and how to read it.
        file: Name of the PNG in the folder.
        numbers: What it shows, by name; to be printed beside it.
        details: All that is behind it, as JSON values.
    """

    name: str
    title: str
    caption: str
    file: str
    numbers: dict[str, Number]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Omission:
    """A figure that was wanted and could not be drawn.

    Attributes:
        name: Its name.
        reason: The error's stable word.
        message: A sentence for people.
    """

    name: str
    reason: str
    message: str


Outcome = DrawnFigure | Omission


class FigureIndex:
    """The list of a folder; figures of earlier runs stay in it until they are drawn again."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if it is not there, and read its list.

        Raises:
            InvalidRequestError: If there is a list that is none of ours.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._entries = self._read()

    def add(self, outcome: Outcome) -> None:
        """Note what became of a figure, and write the list."""
        fields = _FIGURE_FIELDS if isinstance(outcome, DrawnFigure) else _OMISSION_FIELDS
        self._entries[outcome.name] = {name: getattr(outcome, name) for name in fields}
        entries = [self._entries[name] for name in NAMES if name in self._entries]
        document = {
            "schema": SCHEMA,
            "figures": [entry for entry in entries if "file" in entry],
            "omitted": [entry for entry in entries if "file" not in entry],
        }
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        replace_file(self._folder / FILE_NAME, (text + "\n").encode())

    def _read(self) -> dict[str, dict[str, Any]]:
        file = self._folder / FILE_NAME
        if not file.is_file():
            return {}
        try:
            document = json.loads(file.read_text("utf-8"))
            entries = [*document["figures"], *document.get("omitted", [])] if document["schema"] == SCHEMA else None
            known = None if entries is None else {str(entry["name"]): dict(entry) for entry in entries}
        except (ValueError, KeyError, TypeError):
            known = None
        if known is None:
            raise InvalidRequestError(f"{file} is no list of figures; choose another folder", field="output")
        return {name: entry for name, entry in known.items() if self._is_there(entry)}

    def _is_there(self, entry: dict[str, Any]) -> bool:
        return "file" not in entry or (self._folder / Path(str(entry["file"])).name).is_file()


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = file.with_name(f".{file.name}.part")
    temporary.write_bytes(content)
    temporary.replace(file)


def names_of(outcomes: Sequence[Outcome]) -> tuple[list[DrawnFigure], list[Omission]]:
    """Return what was drawn and what was not."""
    drawn = [each for each in outcomes if isinstance(each, DrawnFigure)]
    return drawn, [each for each in outcomes if isinstance(each, Omission)]
