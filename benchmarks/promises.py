"""What the product promises of its speed, beside what was measured."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROMISES = Path(__file__).with_name("promises.toml")


@dataclass(frozen=True, slots=True)
class Promise:
    """A row of the table of promises.

    Attributes:
        what: What is promised.
        must: What it must reach.
        figures: The figures that show it, as `suite: name`.
        remark: Why the figures are what they are.
    """

    what: str
    must: str
    figures: Sequence[str]
    remark: str

    def found(self, document: Mapping[str, Any]) -> list[dict[str, Any] | None]:
        """Return its figures in a document, None where one was not measured."""
        parted = [figure.split(": ", 1) for figure in self.figures]
        return [document["suites"].get(suite, {"figures": {}})["figures"].get(name) for suite, name in parted]

    def verdict(self, document: Mapping[str, Any]) -> str:
        """Return PASS, MISS, `not measured`, or nothing where nothing is judged."""
        found = self.found(document)
        if not found:
            return ""
        if any(figure is None for figure in found):
            return "not measured"
        return "MISS" if any(figure and figure["met"] is False for figure in found) else "PASS"


def read_promises(file: Path = PROMISES) -> list[Promise]:
    """Read the promises."""
    return [Promise(**row) for row in tomllib.loads(file.read_text("utf-8"))["promise"]]
