"""`xmirad health`: whether a process of this machine does its work; for the health checks of containers."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from xmirad.addresses import callable_address
from xmirad.cli import options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output
from xmirad.cli.session import settings_of
from xmirad.errors import BackendUnavailableError

CHECK_SECONDS = 1.5

app = typer.Typer(help="Check a process: exit code 0 if it does its work, 1 if not.", no_args_is_help=True)


@app.command("retrieval")
def retrieval(context: typer.Context, as_json: options.Json = False) -> None:
    """Ask the retrieval service by the standard health protocol: this home's own, else who is at server.address."""
    from xmirad.client.health import check_serving
    from xmirad.home import Home
    from xmirad.supervisor.announcement import find_service
    from xmirad.supervisor.programs import credentials_of

    settings = settings_of(context)
    announced = find_service(Home(settings.home))
    address = callable_address(settings.server.address) if announced is None else announced.reachable_at
    with _one_if_unhealthy():
        check_serving(address, credentials_of(settings.client), timeout_seconds=CHECK_SECONDS)
    _tell(Output(as_json), "retrieval", f"serves at {address}")


@app.command("explainer")
def explainer(context: typer.Context, as_json: options.Json = False) -> None:
    """Look whether the explainer of this home has given a sign of life within 15 s."""
    _check_worker(context, "explainer", Output(as_json))


@app.command("indexer")
def indexer(context: typer.Context, as_json: options.Json = False) -> None:
    """Look whether the indexer of this home has given a sign of life within 15 s."""
    _check_worker(context, "indexer", Output(as_json))


def _check_worker(context: typer.Context, worker: str, output: Output) -> None:
    from xmirad.heartbeat import check_heartbeat
    from xmirad.home import Home

    home = Home(settings_of(context).home)
    with _one_if_unhealthy():
        pid = check_heartbeat(home.heartbeat(worker), worker=worker)
    _tell(output, worker, f"takes tasks (process {pid})")


@contextmanager
def _one_if_unhealthy() -> Iterator[None]:
    """Exit with 1, the one code that container engines take for unhealthy."""
    try:
        yield
    except BackendUnavailableError as error:
        Output().note(f"unhealthy: {error.message}")
        raise typer.Exit(ExitCode.FAILURE) from error


def _tell(output: Output, process: str, state: str) -> None:
    output.json({"process": process, "healthy": True, "state": state})
    output.text(f"{process} {state}")
