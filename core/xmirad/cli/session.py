"""What every command starts from: the global flags, the settings, a connected client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from xmirad.cli.output import Output

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.settings import Settings


@dataclass(frozen=True, slots=True)
class GlobalFlags:
    """The flags before the command.

    Attributes:
        home: Home folder, or None.
        address: Address of the service, or None.
        debug: Show where an error was raised.
    """

    home: Path | None = None
    address: str | None = None
    debug: bool = False

    def as_settings(self) -> dict[str, Any]:
        """Return the flags as nested settings."""
        settings: dict[str, Any] = {}
        if self.home is not None:
            settings["home"] = self.home
        if self.address is not None:
            settings["server"] = {"address": self.address}
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


@contextmanager
def connected(context: typer.Context, output: Output, *, explains: bool = False) -> Iterator["Client"]:
    """Yield a client of the service: at `--address`, else the home's, else a private one for the length of the block.

    With `explains` a private one can explain.

    Raises:
        BackendUnavailableError: If no service answers at `--address`, or none can be started.
    """
    from xmirad.client.client import Client

    settings = settings_of(context)
    if flags_of(context).address is not None:
        from xmirad.supervisor.programs import credentials_of

        with Client(settings.server.address, credentials=credentials_of(settings.client)) as client:
            client.server_info()
            yield client
        return
    from xmirad.supervisor.connection import private_service

    with (
        private_service(settings, notify=output.note, explains=explains) as connection,
        Client(connection.address, credentials=connection.credentials) as client,
    ):
        yield client
