"""`xmirad demo`: the whole system once through, in a temporary home."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli.output import Output
from xmirad.cli.session import settings_of

if TYPE_CHECKING:
    from xmirad.settings import Settings

EXAMPLES = """\b
Examples:
  xmirad demo                     synthetic images, Lite0 beside random weights
  xmirad demo ~/covidx            the figures of a data set of yours"""


def demo(
    context: typer.Context,
    data: Annotated[Path | None, typer.Argument(help="Data set. Default: synthetic images are generated.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for report and picture.")] = Path(
        "xmirad-demo"
    ),
) -> None:
    """Run the system in a temporary home: store a data set, evaluate it, search once, write report and picture."""
    from xmirad.cli.demonstration import Demonstration
    from xmirad.client.client import Client
    from xmirad.supervisor.connection import PrivateUse, private_service

    printer = Output()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xmirad-demo-") as folder:
        settings = _in_temporary_home(settings_of(context), Path(folder))
        demonstration = Demonstration(settings, output=output, printer=printer)
        demonstration.prepare(data, Path(folder))
        with (
            private_service(settings, notify=printer.note, use=PrivateUse(is_asked_for=True)) as service,
            Client(service.address, credentials=service.credentials) as client,
        ):
            demonstration.run(client)


def _in_temporary_home(settings: "Settings", folder: Path) -> "Settings":
    """Keep what the user set, apart from where data lies."""
    from xmirad.settings_sources import load_settings

    own = {"home": folder / "home", "models_dir": settings.models_dir, "default_model": settings.default_model}
    return load_settings({**own, "store": {"kind": "edge"}, "blobs": {"url": ""}, "site_key_file": None})
