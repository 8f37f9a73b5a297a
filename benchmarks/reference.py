"""Compares a run with the reference that is checked in.

Times vary from run to run, so only what is beyond doubt counts: a loss is reported where the whole 95 % interval of a
ratio is worse than the reference by 20 %.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Better, Figure

REFERENCE = Path(__file__).with_name("reference.json")
KEPT = 0.8


def read_reference(file: Path = REFERENCE) -> dict[str, Any]:
    """Read the reference, as `--json` has written it."""
    data: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return data


def losses(figures: dict[str, Sequence[Figure]], reference: dict[str, Any]) -> list[str]:
    """Return a sentence for every figure that is worse than the reference beyond doubt."""
    found = []
    for suite, some in figures.items():
        known = reference["suites"].get(suite, {})
        for figure in some:
            if figure.name in known and is_loss(figure, known[figure.name]["ratio"]):
                before = known[figure.name]["ratio"]
                found.append(f"{suite}: {figure.name}: the ratio is {figure.ratio:.2f}, and was {before:.2f}")
    return found


def is_loss(figure: Figure, before: float) -> bool:
    """Return whether even the best end of a figure's interval is 20 % worse than a ratio before."""
    if figure.interval is None:
        return False
    low, high = figure.interval
    return high < before * KEPT if figure.target.better is Better.HIGHER else low > before / KEPT
