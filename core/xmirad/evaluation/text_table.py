"""Tables of text, and how figures are written in them."""

from dataclasses import dataclass

from xmirad.metrics.bootstrap import Estimate

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of text.

    Attributes:
        title: What it shows.
        columns: Headings; the first column holds names, the others numbers.
        rows: Cells, as many as there are columns.
        notes: What must be known to read it.
    """

    title: str
    columns: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def number(value: float) -> str:
    """Return a share with three decimals."""
    return f"{value:.3f}"


def with_interval(estimate: Estimate) -> str:
    """Return a figure and its interval."""
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"
