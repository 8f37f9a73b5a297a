"""`xmirad tokens`: makes, lists and revokes the tokens that the service accepts, in the catalog itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.access.caller import Scope
from xmirad.cli import options
from xmirad.cli.output import Output
from xmirad.cli.session import settings_of

if TYPE_CHECKING:
    from xmirad.catalog.database import Database
    from xmirad.settings import Settings

DAY_SECONDS = 86_400.0
EXAMPLES = """\b
Examples:
  (umask 077; xmirad tokens create --name viewer --scope read --scope explain --scope identity > viewer.token)
  xmirad tokens list
  xmirad tokens revoke viewer
The token is shown once; the catalog holds its SHA-256 only. Running services follow within 5 s."""
app = typer.Typer(help="Make, list and revoke tokens of the service's callers.", no_args_is_help=True)
Site = Annotated[str | None, typer.Option(help="Site whose data it opens. Default: the setting `site`.")]


@app.command("create", epilog=EXAMPLES)
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Whose token it is; limits count by it.", show_default=False)],
    scope: Annotated[list[Scope], typer.Option(help="What it allows; may be repeated.", show_default=False)],
    site: Site = None,
    expires_days: Annotated[float | None, typer.Option(help="When it ends. Default: never.", min=0.0)] = None,
    from_file: Annotated[
        Path | None, typer.Option(help="Take the token from this file instead of making one.", dir_okay=False)
    ] = None,
    only_first: Annotated[
        bool, typer.Option("--only-first", help="Do nothing if there ever was a token of that name, revoked or not.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Make a token, print it once, and keep its digest in the catalog."""
    from xmirad.access.tokens import new_token, token_record
    from xmirad.catalog.tokens import insert_first_token, insert_token
    from xmirad.secret_files import read_secret

    output, settings = Output(as_json), settings_of(context)
    token = new_token() if from_file is None else read_secret(from_file.expanduser(), setting="from_file")
    expiry = None if expires_days is None else time.time() + expires_days * DAY_SECONDS
    record = token_record(token, name=name, scopes=scope, site=site or settings.site, expire_time=expiry)
    with _database(settings, create=True) as database:
        if only_first and not database.write(lambda connection: insert_first_token(connection, record)):
            output.note(f"there was a token of the name {name} already; it stays as it is")
            return
        if not only_first:
            database.write(lambda connection: insert_token(connection, record))
    if from_file is not None:
        output.json({"name": name})
        output.note(f"{name}: the token of {from_file} is accepted")
        return
    output.json({"name": name, "token": token})
    output.text(token)
    output.note("the token is not shown again")
    if not settings.security.tokens:
        output.note("a service asks for tokens when it is started with XMIRAD_SECURITY__TOKENS=true")


@app.command("list")
def list_tokens(context: typer.Context, as_json: options.Json = False) -> None:
    """List the tokens of all sites with what they allow."""
    from xmirad.catalog.tokens import TokenRecord, all_tokens

    output = Output(as_json)
    with _database(settings_of(context)) as database:
        found = database.read(lambda connection: list(all_tokens(connection)))
    rows = []
    for each in found:
        if isinstance(each, TokenRecord):
            scopes = " ".join(sorted(each.scopes))
            rows.append((each.name, scopes, each.site, _time(each.create_time), _time(each.expire_time)))
        else:
            output.note(each.message)
    names = ("name", "scopes", "site", "created", "expires")
    output.json([dict(zip(names, (name, scopes.split(), *rest), strict=True)) for name, scopes, *rest in rows])
    output.table(names, rows)
    if not rows:
        output.note("there are no tokens yet; make one: xmirad tokens create --name viewer --scope read")


@app.command("revoke")
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose token it is.", show_default=False)],
    site: Site = None,
) -> None:
    """Take a token out of force; running services refuse it within 5 s."""
    from xmirad.catalog.tokens import revoke_token

    settings = settings_of(context)
    with _database(settings) as database:
        database.write(lambda connection: revoke_token(connection, site or settings.site, name, now=time.time()))
    Output().note(f"{name} is not accepted any more")


@contextmanager
def _database(settings: "Settings", *, create: bool = False) -> Iterator["Database"]:
    from xmirad.composition import catalog
    from xmirad.home import Home

    if create:
        Home(settings.home).prepare()
    database = catalog(settings, create=create).database
    try:
        yield database
    finally:
        database.close()


def _time(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
