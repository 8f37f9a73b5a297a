"""Shows figures to people."""

from collections.abc import Iterable, Sequence

from benchmarks.figures import Figure

HEADINGS = ("figure", "value", "baseline", "ratio", "95 %", "target", "", "compared with")
RIGHT = (1, 2, 3)


def table(figures: Iterable[Figure]) -> str:
    """Return figures as lines of text, widths fitted."""
    rows = [HEADINGS, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_line(row, widths) for row in rows)


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
