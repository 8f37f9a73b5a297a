"""`xmirad compare`: holds two reports of the same queries against each other."""

from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli import options
from xmirad.cli.output import Output

EXAMPLES = """\b
Examples:
  xmirad compare untrained/report.json trained/report.json
  xmirad compare untrained/report.json trained/report.json --output difference"""


def compare(
    first: Annotated[Path, typer.Argument(help="report.json to start from.", show_default=False)],
    second: Annotated[Path, typer.Argument(help="report.json to hold against it.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for comparison.json and comparison.html.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal intervals and p-values.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Compare two reports query by query: differences with intervals and p-values, overall and by class."""
    from xmirad.cli.reports import read_report, show_comparison, write_comparison
    from xmirad.evaluation.comparison.comparing import compare as compared

    printer = Output(as_json)
    comparison = compared(read_report(first), read_report(second), seed=seed)
    show_comparison(comparison, printer)
    if output is not None:
        write_comparison(comparison, output, printer)
