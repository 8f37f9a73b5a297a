"""Shows figures to people and to programs."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.figures import Figure
from benchmarks.run import Run

HEADINGS = ("figure", "value", "baseline", "ratio", "95 %", "target", "", "compared with")
RIGHT = (1, 2, 3)


def table(figures: Iterable[Figure]) -> str:
    """Return figures as lines of text, widths fitted."""
    rows = [HEADINGS, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_line(row, widths) for row in rows)


def document(run: Run, figures: dict[str, Sequence[Figure]]) -> dict[str, Any]:
    """Return a run's figures, by suite, for a JSON file."""
    return {
        "forward_ms": run.forward_ms,
        "cores": run.cores,
        "quick": run.quick,
        "suites": {suite: {figure.name: _data(figure) for figure in some} for suite, some in figures.items()},
    }


def to_text(data: dict[str, Any]) -> str:
    """Return a document as it is written to a file."""
    return json.dumps(data, indent=1) + "\n"


def _cells(figure: Figure) -> tuple[str, ...]:
    interval = figure.interval
    baseline = figure.baseline + (f"; {figure.note}" if figure.note else "")
    return (
        figure.name,
        f"{figure.value:.4g} {figure.unit}",
        f"{figure.baseline_value:.4g} {figure.unit}",
        f"{figure.ratio:.2f}",
        f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else "",
        str(figure.target),
        {True: "ok", False: "miss", None: ""}[figure.is_met],
        baseline,
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if column in RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _data(figure: Figure) -> dict[str, Any]:
    return {
        "unit": figure.unit,
        "value": figure.value,
        "baseline": figure.baseline,
        "baseline_value": figure.baseline_value,
        "ratio": figure.ratio,
        "interval": figure.interval,
        "better": figure.target.better,
        "target": figure.target.limit,
        "met": figure.is_met,
        "note": figure.note,
    }
