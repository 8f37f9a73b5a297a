"""A comparison as one self-contained page."""

from xmirad.evaluation.comparison.findings import Comparison
from xmirad.evaluation.comparison.tables import comparison_tables
from xmirad.evaluation.pages import page_template


def render_comparison(comparison: Comparison) -> str:
    """Return a comparison as an HTML page."""
    return page_template("comparison.html.j2").render(comparison=comparison, tables=comparison_tables(comparison))
