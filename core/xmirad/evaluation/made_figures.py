"""Figures that `xmirad figures` has made in a folder, for the report's page.

`figures.json` in the folder is `{"schema": "xmirad.figures/1", "figures": [...]}`; each figure has `name`, `title`,
`caption`, `file` (an SVG or PNG beside it) and `numbers`, an object of figures of merit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xmirad.errors import InvalidRequestError

INDEX = "figures.json"
SCHEMA = "xmirad.figures/1"
MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True, slots=True)
class MadeFigure:
    """A figure.

    Attributes:
        name: Its short name.
        title: What it shows.
        caption: What must be known to read it.
        media_type: `image/svg+xml` or `image/png`.
        data: The picture.
        numbers: What goes with it, by name, as text.
    """

    name: str
    title: str
    caption: str
    media_type: str
    data: bytes
    numbers: Mapping[str, str]


def read_figures(folder: Path) -> tuple[MadeFigure, ...]:
    """Read the figures of a folder, in the order of its index.

    Raises:
        InvalidRequestError: If the folder has no index, the index cannot be understood, or a picture is missing, is
            neither SVG nor PNG, or lies outside the folder.
    """
    try:
        document = json.loads((folder / INDEX).read_text("utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}, not {SCHEMA!r}")
        return tuple(_figure(folder, each) for each in document["figures"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"{folder / INDEX} is no index of figures: {error}"
        raise InvalidRequestError(message, field="figures", metadata={"folder": str(folder)}) from error


def _figure(folder: Path, entry: Mapping[str, Any]) -> MadeFigure:
    file = folder / entry["file"]
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{entry['file']} lies outside the folder")
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise ValueError(f"{entry['file']} is neither SVG nor PNG")
    return MadeFigure(
        name=str(entry["name"]),
        title=str(entry["title"]),
        caption=str(entry["caption"]),
        media_type=media_type,
        data=file.read_bytes(),
        numbers={str(name): _written(value) for name, value in entry.get("numbers", {}).items()},
    )


def _written(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
