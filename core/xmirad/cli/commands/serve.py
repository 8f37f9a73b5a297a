"""`xmirad serve`: runs the retrieval service in the foreground."""

import typer

from xmirad.cli.session import settings_of

EXAMPLES = """\b
Examples:
  xmirad serve
  XMIRAD_STORE__KIND=qdrant XMIRAD_SITE_KEY_FILE=/run/secrets/site.key xmirad serve"""


def serve(context: typer.Context) -> None:
    """Run the retrieval service in the foreground, without supervision. For containers."""
    from xmirad.supervisor.starting import check_start
    from xmirad_services.retrieval.app import serve as run

    settings = settings_of(context)
    check_start(settings, address=settings.server.address)
    run(settings)
