"""`xmirad config`: shows the settings."""

import typer

from xmirad.cli import options
from xmirad.cli.output import Output
from xmirad.cli.session import flags_of, settings_of

app = typer.Typer(help="Show the settings.", no_args_is_help=True)


@app.command("show")
def show(context: typer.Context, as_json: options.Json = False) -> None:
    """Show every setting with its value, where that comes from, and the variable that sets it. Secrets are masked."""
    from xmirad.settings_sources import effective

    output = Output(as_json)
    entries = effective(settings_of(context), flags_of(context).as_settings())
    output.json(entries)
    rows = [("" if entry.value is None else entry.value, entry) for entry in entries]
    output.table(
        ("setting", "value", "source", "variable", "meaning"),
        [(entry.name, value, entry.source, entry.variable, entry.description) for value, entry in rows],
    )
