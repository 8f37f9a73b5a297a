"""Where the server listens: a port for everyone, and a socket for the home's owner."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

from xmirad.access.checking import asks_for_tokens
from xmirad.addresses import UNIX, host_of, is_loopback
from xmirad.errors import BackendUnavailableError
from xmirad.home import PRIVATE_FILE, Home
from xmirad.secret_files import read_file
from xmirad.settings import Settings
from xmirad.settings_security import SecuritySettings

MAX_SOCKET_PATH = 100  # the kernel's limit is 107 characters
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the server answers.

    Attributes:
        address: The port, `host:port`.
        local_address: Where processes of the home's owner reach it without token and TLS.
        socket: The Unix socket that only the home's owner reaches.
    """

    address: str
    local_address: str
    socket: str


@contextmanager
def open_ports(server: grpc.aio.Server, settings: Settings, home: Home) -> Iterator[Ports]:
    """Bind the server, which is started after that.

    Raises:
        BackendUnavailableError: If the address is taken.
        InvalidRequestError: If a certificate cannot be read.
    """
    address, credentials = settings.server.address, _credentials(settings.security)
    try:
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as error:
        message = f"cannot listen on {address}; is another service running there?"
        raise BackendUnavailableError(message, metadata={"backend": "network"}) from error
    _warn(settings)
    bound = f"{address.rpartition(':')[0]}:{port}"
    is_locked = credentials is not None or asks_for_tokens(settings.security)
    with _socket(home) as path:
        socket = f"{UNIX}{path}"
        server.add_insecure_port(socket)
        path.chmod(PRIVATE_FILE)
        # Where nobody is asked for a token, connections are told apart by their ports, which sockets have none of.
        yield Ports(bound, socket if is_locked else bound, socket)


def _credentials(security: SecuritySettings) -> grpc.ServerCredentials | None:
    if security.tls_certificate_file is None or security.tls_key_file is None:
        return None
    key = read_file(security.tls_key_file, setting="security.tls_key_file")
    chain = read_file(security.tls_certificate_file, setting="security.tls_certificate_file")
    if security.client_ca_file is None:
        return grpc.ssl_server_credentials([(key, chain)])
    roots = read_file(security.client_ca_file, setting="security.client_ca_file")
    return grpc.ssl_server_credentials([(key, chain)], root_certificates=roots, require_client_auth=True)


@contextmanager
def _socket(home: Home) -> Iterator[Path]:
    """Yield a path that only the home's owner reaches."""
    path = home.run / "service.sock"
    folder: Path | None = None
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        folder = Path(tempfile.mkdtemp(prefix="xmirad-"))
        path = folder / path.name
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _warn(settings: Settings) -> None:
    security = settings.security
    if is_loopback(settings.server.address):
        return
    if not asks_for_tokens(security):
        _log.warning("security.open_to_everyone", host=host_of(settings.server.address))
    elif security.tls_certificate_file is None:
        _log.warning("security.tokens_unencrypted", host=host_of(settings.server.address))
