"""A comparison as tables of text."""

from xmirad.evaluation.comparison.findings import ComparedFigure, ComparedGroup, Comparison
from xmirad.evaluation.figures import MAP, MAP_XMIR
from xmirad.evaluation.text_table import ReportTable, Row, number
from xmirad.metrics.bootstrap import Estimate

WORDS = {MAP_XMIR: "mAP, X-MIR-compatible", MAP: "mAP", "precision_at_": "mP@"}


def comparison_tables(comparison: Comparison) -> list[ReportTable]:
    """Return a table over all queries and one of the classes."""
    overall, *classes = comparison.groups
    first, second = comparison.first.model.display_name, comparison.second.model.display_name
    columns = ("Figure", f"A: {first}", f"B: {second}", "B - A [95 %]", "p")
    tables = [
        ReportTable(
            title=f"{overall.query_count} queries of {comparison.first.dataset}, {comparison.protocol}",
            columns=columns,
            rows=tuple(_row(_word(name), figure) for name, figure in overall.figures.items()),
            notes=(
                f"Paired over queries, {comparison.resamples:,} draws, seed {comparison.seed}. p: two-sided, "
                "randomization test; not corrected for the number of figures.",
            ),
        )
    ]
    if classes:
        rows = tuple(row for group in classes for row in _class_rows(group))
        tables.append(ReportTable("By class", ("Class, figure", *columns[1:]), rows))
    return tables


def _class_rows(group: ComparedGroup) -> list[Row]:
    prefix = f"{group.name} ({group.query_count}), "
    return [_row(prefix + _word(name), figure) for name, figure in group.figures.items()]


def _row(name: str, figure: ComparedFigure) -> Row:
    return (name, number(figure.first), number(figure.second), _signed(figure.difference), _p_value(figure.p_value))


def _word(name: str) -> str:
    for start, word in WORDS.items():
        if name.startswith(start):
            return word + name.removeprefix(start).replace("_at_", "@")
    return name


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)
