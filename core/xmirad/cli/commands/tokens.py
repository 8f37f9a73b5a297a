"""`xmirad tokens`: makes, lists and revokes the tokens that the service accepts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.access.caller import Scope
from xmirad.access.keys_file import create_token, read_keys, revoke_token
from xmirad.cli import options
from xmirad.cli.output import Output
from xmirad.cli.session import settings_of

if TYPE_CHECKING:
    from xmirad.settings import Settings

EXAMPLES = """\b
Examples:
  (umask 077; xmirad tokens create --name viewer --scope read --scope explain --scope identity > viewer.token)
  xmirad tokens list
  xmirad tokens revoke viewer
The token is shown once; the file holds its SHA-256 only. A running service reads changes within a second; one in a
container reads them when it is restarted (docker-compose restart retrieval)."""
app = typer.Typer(help="Make, list and revoke tokens of the service's callers.", no_args_is_help=True)
File = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", help="File of the tokens. Default: security.keys_file, else secrets/keys.toml in the home."
    ),
]


@app.command("create", epilog=EXAMPLES)
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Whose token it is; limits count by it.", show_default=False)],
    scope: Annotated[list[Scope], typer.Option(help="What it allows; may be repeated.", show_default=False)],
    site: Annotated[str | None, typer.Option(help="Site whose data it opens. Default: the setting `site`.")] = None,
    file: File = None,
    as_json: options.Json = False,
) -> None:
    """Make a token, print it once, and add its digest to the file."""
    output = Output(as_json)
    settings = settings_of(context)
    path = _path(settings, file)
    token = create_token(path, name=name, scopes=scope, site=site or settings.site)
    output.json({"name": name, "token": token, "file": str(path)})
    output.text(token)
    output.note(f"{path} holds its digest; the token itself is not shown again")
    if settings.security.keys_file is None:
        output.note(f"the service reads the file when it is started with XMIRAD_SECURITY__KEYS_FILE={path}")


@app.command("list")
def list_tokens(context: typer.Context, file: File = None, as_json: options.Json = False) -> None:
    """List the owners of tokens with their scopes and sites."""
    output = Output(as_json)
    path = _path(settings_of(context), file)
    callers = [key.caller for key in read_keys(path)] if path.exists() else []
    rows = [(caller.name, " ".join(sorted(caller.scopes)), caller.site) for caller in callers]
    output.json([{"name": name, "scopes": scopes.split(), "site": site} for name, scopes, site in rows])
    output.table(("name", "scopes", "site"), rows)
    if not rows:
        output.note("there are no tokens yet; make one: xmirad tokens create --name viewer --scope read")


@app.command("revoke")
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose token it is.", show_default=False)],
    file: File = None,
) -> None:
    """Take a token out of the file; a service outside of containers refuses it within a second."""
    path = _path(settings_of(context), file)
    revoke_token(path, name=name)
    Output().note(f"{name} is not accepted any more; in containers: docker-compose restart retrieval")


def _path(settings: "Settings", file: Path | None) -> Path:
    if file is not None:
        return file.expanduser().absolute()
    return settings.security.keys_file or settings.home / "secrets" / "keys.toml"
