"""How this command shows who it is: files, expiry, and whether the service accepts it."""

import base64
import json
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from xmirad.addresses import callable_address
from xmirad.client.client import Client
from xmirad.client.credentials import Credentials
from xmirad.doctor.findings import Finding, failed, ok, skipped
from xmirad.errors import AccessDeniedError, InvalidRequestError, UnauthenticatedError, XmiradError
from xmirad.home import Home
from xmirad.secret_files import read_secret
from xmirad.settings import Settings
from xmirad.settings_security import ClientSettings
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.programs import credentials_of, listens

ANSWER_SECONDS = 1.5
NEW_TOKEN = "have one made (`xmirad tokens create`, or the identity provider) and write it into client.token_file"  # noqa: S105
PARTS_OF_WEB_TOKEN = 3


def check_credentials(settings: Settings) -> Iterator[Finding]:
    """Yield whether the client's settings open the service at the configured address."""
    client = settings.client
    credentials, address = credentials_of(client), callable_address(settings.server.address)
    if client == ClientSettings() and find_service(Home(settings.home)) is not None:
        yield ok("credentials", "none are needed: the service is this home's own")
        return
    try:
        credentials.check(address)
        problem = next(_in_files(client), None)
    except InvalidRequestError as error:
        problem = failed("credentials", error.message, f"correct {error.field}")
    yield _asked(address, credentials) if problem is None else problem


def _in_files(client: ClientSettings) -> Iterator[Finding]:
    """Yield what is wrong with the files.

    Raises:
        InvalidRequestError: If one cannot be read.
    """
    if client.token_file is not None:
        expiry = expiry_of(read_secret(client.token_file, setting="client.token_file"))
        if expiry is not None and expiry < time.time():
            then = datetime.fromtimestamp(expiry, UTC).strftime("%Y-%m-%d %H:%M UTC")
            yield failed("credentials", f"the token of client.token_file expired at {then}", NEW_TOKEN)
    try:
        if client.ca_file is not None:
            ssl.create_default_context(cafile=str(client.ca_file))
        if client.certificate_file is not None and client.key_file is not None:
            _load_pair(client.certificate_file, client.key_file)
    except OSError as error:  # of which an SSLError is one
        found = f"a certificate of the client cannot be used ({error.strerror or 'not PEM, or of another key'})"
        yield failed("credentials", found, "see client.ca_file, client.certificate_file and client.key_file")


def _load_pair(certificate: Path, key: Path) -> None:
    # Asked for the password of an encrypted key, it gives none instead of waiting for a person.
    ssl.create_default_context().load_cert_chain(certificate, key, password=lambda: "")


def expiry_of(token: str) -> float | None:
    """Return when a JSON Web Token expires, in seconds since 1970; None if it does not say, or is no such token."""
    parts = token.split(".")
    if len(parts) != PARTS_OF_WEB_TOKEN:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return None


def _asked(address: str, credentials: Credentials) -> Finding:
    if not listens(address):
        return skipped("credentials", f"nothing answers at {address} that could be asked")
    has_token = credentials.token_file is not None
    try:
        with Client(address, timeout_seconds=ANSWER_SECONDS, credentials=credentials) as client:
            client.server_info()
    except UnauthenticatedError:
        found = f"the service at {address} {'does not accept the token' if has_token else 'asks for a token'}"
        return failed("credentials", found, NEW_TOKEN)
    except AccessDeniedError:
        return failed("credentials", f"the token may not read at {address}", "have one made with the scope `read`")
    except (XmiradError, TimeoutError):
        return skipped("credentials", f"the service at {address} does not answer; see `service`")
    return ok("credentials", f"accepted at {address}" if has_token else f"none are asked for at {address}")
