"""What every command starts from: the global flags, the settings, a connected client."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from xmirad.cli.output import Output
from xmirad.errors import InvalidRequestError
from xmirad.types import WorkerKind

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.settings import Settings


@dataclass(frozen=True, slots=True)
class GlobalFlags:
    """The flags before the command.

    Attributes:
        home: Home folder, or None.
        address: Address of the service, or None.
        token_file: File of the token to show, or None.
        is_private: Use a service of the home's own, whatever answers at the usual address.
        debug: Show where an error was raised.
    """

    home: Path | None = None
    address: str | None = None
    token_file: Path | None = None
    is_private: bool = False
    debug: bool = False

    def as_settings(self) -> dict[str, Any]:
        """Return the flags as nested settings."""
        settings: dict[str, Any] = {}
        if self.home is not None:
            settings["home"] = self.home
        if self.address is not None:
            settings["server"] = {"address": self.address}
        if self.token_file is not None:
            settings["client"] = {"token_file": self.token_file.expanduser().absolute()}
        return settings


def flags_of(context: typer.Context) -> GlobalFlags:
    """Return the global flags of a command."""
    flags = context.find_root().obj
    return flags if isinstance(flags, GlobalFlags) else GlobalFlags()


def settings_of(context: typer.Context) -> "Settings":
    """Read the settings.

    Raises:
        InvalidRequestError: If a setting is unknown or not allowed.
    """
    from xmirad.settings_sources import load_settings

    return load_settings(flags_of(context).as_settings())


def max_image_bytes(context: typer.Context) -> int:
    """Return how large an image file may be, before a service is asked: `limits.max_image_bytes`."""
    return settings_of(context).limits.max_image_bytes


@contextmanager
def connected(
    context: typer.Context, output: Output, *, workers: Sequence[WorkerKind] = (), needs_model: bool = True
) -> Iterator["Client"]:
    """Yield a client of the service: at `--address`, else the home's, else a private one for the length of the block.

    A private one has `workers`; with `needs_model` none is started where there is no model at all.

    Raises:
        BackendUnavailableError: If no service answers at `--address`, or none can be started.
        InvalidRequestError: If `--address` and `--private` exclude each other.
        XmiradError: If a private one is not to be started, or refuses to.
    """
    from xmirad.client.client import Client

    settings, flags = settings_of(context), flags_of(context)
    if flags.address is not None:
        if flags.is_private:
            raise InvalidRequestError("--address and --private exclude each other", field="private")
        from xmirad.supervisor.programs import credentials_of

        with Client(settings.server.address, credentials=credentials_of(settings.client)) as client:
            client.server_info()
            yield client
        return
    from xmirad.supervisor.connection import PrivateUse, private_service

    use = PrivateUse(workers=tuple(workers), needs_model=needs_model, is_asked_for=flags.is_private)
    with (
        private_service(settings, notify=output.note, use=use) as connection,
        Client(connection.address, credentials=connection.credentials) as client,
    ):
        yield client


def socket_to_indexer(context: typer.Context) -> str:
    """Return the address of the socket of the home's own service, beside which an indexer runs, or an empty string."""
    from xmirad.home import Home
    from xmirad.supervisor.announcement import find_service, worker_process

    home = Home(settings_of(context).home)
    service = find_service(home) if flags_of(context).address is None else None
    return "" if service is None or worker_process(home, WorkerKind.INDEXER) is None else service.socket
