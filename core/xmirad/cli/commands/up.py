"""`xmirad up`: runs the embedded system and looks after it."""

import signal

import typer

from xmirad.cli import options
from xmirad.cli.output import Output
from xmirad.cli.session import settings_of

EXAMPLES = """\b
Examples:
  xmirad up
  xmirad --home /data/xmirad --address 127.0.0.1:6000 up"""


def up(context: typer.Context, as_json: options.Json = False) -> None:
    """Start the system, keep it running and take it down at Ctrl-C (twice: at once)."""
    from xmirad.home import Home, exclusive
    from xmirad.supervisor.announcement import find_service
    from xmirad.supervisor.connection import check_free
    from xmirad.supervisor.programs import embedded_system
    from xmirad.supervisor.starting import check_room, check_start, missing_model
    from xmirad.supervisor.supervisor import Supervisor
    from xmirad.types import WorkerKind

    output = Output(as_json)
    settings = settings_of(context)
    home = Home(settings.home)
    check_room(settings)
    home.prepare()

    def tell() -> None:
        service = find_service(home)
        output.json(service)
        if service is not None:
            output.text(f"X-MIRAD answers at {service.address} (home: {home.root}, logs: {home.run}). Ctrl-C stops it.")

    with exclusive(home.supervisor_lock, purpose="xmirad up"):
        check_free(home)
        check_start(settings, address=settings.server.address)
        lacking = missing_model(settings)
        if lacking is not None:
            output.note(f"warning: {lacking}")
        programs = embedded_system(settings, address=settings.server.address, workers=tuple(WorkerKind))
        supervisor = Supervisor(programs, folder=home.run, notify=output.note, on_ready=tell)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _signal, _frame: supervisor.stop())
        supervisor.run()
    output.note("stopped")
