"""Tokens in the catalog of a home, as `xmirad tokens` makes and revokes them."""

import time
from collections.abc import Sequence
from pathlib import Path

from xmirad.access.caller import Scope
from xmirad.access.tokens import new_token, token_record
from xmirad.catalog.tokens import insert_token
from xmirad.catalog.tokens import revoke_token as revoke
from xmirad.client.client import Client
from xmirad.composition import catalog
from xmirad.errors import UnauthenticatedError
from xmirad.home import Home
from xmirad.settings import Settings

IN_FORCE_SECONDS = 5.0
ASKED_FOR = {"XMIRAD_SECURITY__TOKENS": "true"}
"""Environment of a service that asks for tokens."""


def create_token(home: Path, *, name: str, scopes: Sequence[Scope], site: str) -> str:
    """Make a token; the home need not be there yet."""
    Home(home).prepare()
    token = new_token()
    record = token_record(token, name=name, scopes=scopes, site=site)
    database = catalog(Settings(home=home), create=True).database
    database.write(lambda connection: insert_token(connection, record))
    database.close()
    return token


def revoke_token(home: Path, *, name: str, site: str = "local") -> None:
    """Take a token out of force."""
    database = catalog(Settings(home=home)).database
    database.write(lambda connection: revoke(connection, site, name, now=time.time()))
    database.close()


def wait_until_told(client: Client, *, accepted: bool) -> None:
    """Wait until a running service accepts a client's token, or does not any more: for at most five seconds."""
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while True:
        try:
            client.server_info()
            is_accepted = True
        except UnauthenticatedError:
            is_accepted = False
        if is_accepted is accepted:
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)
