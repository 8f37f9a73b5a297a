"""Entry point of the command `xmirad`."""

import logging
import signal
from pathlib import Path
from typing import Annotated

import typer

from xmirad.cli.commands import (
    archive,
    compare,
    config,
    demo,
    doctor,
    evaluate,
    explain,
    explanations,
    figures,
    health,
    index,
    models,
    phantoms,
    plan,
    queue,
    report,
    search,
    serve,
    tokens,
    train,
    up,
)
from xmirad.cli.exit_codes import EXIT_CODES_HELP
from xmirad.cli.failures import ReportingGroup, end_process_on_sigterm
from xmirad.cli.session import GlobalFlags

app = typer.Typer(
    name="xmirad",
    cls=ReportingGroup,
    help="Explainable medical image retrieval. Research and decision support; not a diagnosis.",
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up", epilog=up.EXAMPLES)(up.up)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.command("index", epilog=index.EXAMPLES)(index.index)
app.command("search", epilog=search.EXAMPLES)(search.search)
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("compare", epilog=compare.EXAMPLES)(compare.compare)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("figures", epilog=figures.EXAMPLES)(figures.figures)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("plan", epilog=plan.EXAMPLES)(plan.plan)
app.command("phantoms")(phantoms.phantoms)
app.add_typer(archive.app, name="archive")
app.add_typer(explanations.app, name="explanations")
app.add_typer(models.app, name="models")
app.add_typer(queue.app, name="queue")
app.add_typer(tokens.app, name="tokens")
app.add_typer(config.app, name="config")
app.add_typer(health.app, name="health")


def _print_version(wanted: bool) -> None:
    if wanted:
        from xmirad import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder. Default: XMIRAD_HOME, else ~/.xmirad.")] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Where the service is, host:port. Default: the home's service, else a private one."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File of the token that the service asks for. Default: client.token_file.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Use a service of the home's own, whatever answers at the usual address.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error was raised.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Keep the global flags for the command."""
    context.obj = GlobalFlags(home=home, address=address, token_file=token_file, is_private=private, debug=debug)


def main() -> None:
    """Run the command line."""
    # Without a handler, Python prints the bare names of the library's events on standard error.
    logging.getLogger("xmirad").addHandler(logging.NullHandler())
    signal.signal(signal.SIGTERM, end_process_on_sigterm)
    app()
