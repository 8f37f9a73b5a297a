"""Which processes make up the system, as data."""

import socket
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xmirad.addresses import UNIX
from xmirad.errors import AccessDeniedError, InvalidRequestError, UnauthenticatedError, XmiradError
from xmirad.home import Home
from xmirad.settings import Settings
from xmirad.settings_base import MAX_PORT
from xmirad.settings_security import ClientSettings
from xmirad.supervisor.announcement import find_service, worker_process
from xmirad.types import WorkerKind

if TYPE_CHECKING:
    from xmirad.client.credentials import Credentials

ANSWER_SECONDS = 2.0
KILL_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program to keep running.

    Attributes:
        name: Its name in messages and of its log file.
        command: Program and arguments.
        is_ready: Tells whether the process of this id is ready for work; asked again and again, answers within seconds.
        environment: Variables beside those of the supervisor.
        stop_seconds: How long it may take to end after SIGTERM before it is killed.
    """

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[int], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 10.0


def embedded_system(settings: Settings, *, address: str, workers: Collection[WorkerKind] = ()) -> tuple[Program, ...]:
    """Return the programs of the embedded system, in the order in which they start.

    Args:
        settings: Settings; the processes read the same files and variables.
        address: Where the retrieval service is to listen.
        workers: Which workers belong to it; without any it has no queue.
    """
    queue = (_valkey(settings),) if workers and settings.queue.url is None else ()
    return (*queue, _retrieval(settings, address), *(_worker(settings, address, kind) for kind in workers))


def answers(address: str, settings: ClientSettings | None = None) -> str | None:
    """Return the boot id of the service at an address, or None if none answers.

    Args:
        address: Where to ask.
        settings: How to show who one is, where the service may ask for it.

    Raises:
        UnauthenticatedError: If it asks for a token, and the settings have none that it accepts.
        AccessDeniedError: If the token may not read.
        InvalidRequestError: If the settings cannot be used.
    """
    from xmirad.client.client import Client
    from xmirad.client.credentials import NO_CREDENTIALS

    if not listens(address):
        return None
    credentials = NO_CREDENTIALS if settings is None else credentials_of(settings)
    try:
        with Client(address, timeout_seconds=ANSWER_SECONDS, credentials=credentials) as client:
            return client.server_info().boot_id
    except (UnauthenticatedError, AccessDeniedError, InvalidRequestError):
        raise
    except (XmiradError, TimeoutError):
        return None


def credentials_of(settings: ClientSettings) -> "Credentials":
    """Return how the settings show who calls."""
    from xmirad.client.credentials import Credentials

    return Credentials(
        token_file=settings.token_file,
        ca_file=settings.ca_file,
        certificate_file=settings.certificate_file,
        key_file=settings.key_file,
        insecure=settings.insecure,
    )


def listens(address: str) -> bool:
    """Return whether anybody listens at an address; a client tries again and again before it says that nobody does."""
    try:
        if address.startswith(UNIX):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address.removeprefix(UNIX))
                return True
        host, _, port = address.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


def _retrieval(settings: Settings, address: str) -> Program:
    home = Home(settings.home)

    def is_ready(pid: int) -> bool:
        service = find_service(home)
        return service is not None and service.pid == pid and answers(service.reachable_at) == service.boot_id

    return Program(
        name="retrieval",
        command=(sys.executable, "-m", "xmirad_services.retrieval"),
        is_ready=is_ready,
        environment=_environment(settings, address),
        stop_seconds=settings.server.drain_seconds + KILL_GRACE_SECONDS,
    )


def _valkey(settings: Settings) -> Program:
    from xmirad.queue.valkey import EmbeddedValkey

    server = EmbeddedValkey(Home(settings.home))
    return Program(name="valkey", command=server.prepare(), is_ready=lambda _pid: server.is_ready())


def _worker(settings: Settings, address: str, kind: WorkerKind) -> Program:
    home = Home(settings.home)
    return Program(
        name=kind,
        command=(sys.executable, "-m", f"xmirad_{kind}"),
        is_ready=lambda pid: worker_process(home, kind) == pid,
        environment=_environment(settings, address) | {"XMIRAD_METRICS__PORT": str(metrics_port(settings, kind))},
    )


def metrics_port(settings: Settings, kind: WorkerKind) -> int:
    """Return the port of a worker's metrics page on a machine that it shares with retrieval: one of the next ones."""
    port = settings.metrics.port + 1 + list(WorkerKind).index(kind)
    return port if settings.metrics.port and port <= MAX_PORT else 0


def _environment(settings: Settings, address: str) -> dict[str, str]:
    """Return what flags may have set; the rest the process reads where the supervisor has read it."""
    return {
        "XMIRAD_HOME": str(settings.home),
        "XMIRAD_MODELS_DIR": str(settings.models_dir),
        "XMIRAD_DEFAULT_MODEL": settings.default_model,
        "XMIRAD_SITE_KEY_FILE": str(settings.site_key_file or ""),
        "XMIRAD_STORE__KIND": settings.store.kind,
        "XMIRAD_BLOBS__URL": settings.blobs.url,
        "XMIRAD_SERVER__ADDRESS": address,
        "PYTHONUNBUFFERED": "1",
        "GRPC_VERBOSITY": "ERROR",  # or a stranger's failed handshake writes a line of gRPC's own into the log
    }
