"""What is checked before anything is started: each error names what is in the way and what helps.

All of it takes milliseconds. Whatever cannot be known beforehand ends the started process, whose last line the
supervisor reports (`process.py`).
"""

import errno
import os
import socket

from xmirad.access.checking import check_security
from xmirad.addresses import UNIX, callable_address, host_of
from xmirad.client.client import Client
from xmirad.errors import (
    AccessDeniedError,
    BackendUnavailableError,
    ModelNotFoundError,
    UnauthenticatedError,
    XmiradError,
)
from xmirad.home import Home, Reader, room_lacking
from xmirad.settings import DEFAULT_HOME, Settings
from xmirad.settings_base import MAX_PORT, absolute
from xmirad.supervisor.announcement import find_service

ANSWER_SECONDS = 1.0


def check_start(settings: Settings, *, address: str) -> None:
    """Check what must hold before the processes are started, the metrics pages' ports included.

    Raises:
        InvalidRequestError: If the settings of access do not fit each other.
        BackendUnavailableError: If the file systems are full or an address is taken.
    """
    check_security(settings)
    check_room(settings)
    check_address(address)
    if settings.metrics.port:
        host = f"[{settings.metrics.host}]" if ":" in settings.metrics.host else settings.metrics.host
        _check_free(f"{host}:{settings.metrics.port}", field="metrics.port", remedy="set another XMIRAD_METRICS__PORT")


def check_room(settings: Settings, *, read: Reader = os.statvfs) -> None:
    """Check that the file systems of the home and of the blob store have room for a start.

    Raises:
        BackendUnavailableError: If one is full.
    """
    for folder in filter(None, (settings.home, settings.blobs_folder)):
        lacking = room_lacking(folder, read=read)
        if lacking is not None:
            message = f"{lacking}: free space, or name another home with --home or XMIRAD_HOME"
            raise BackendUnavailableError(message, field="home", metadata={"backend": "home", "path": str(folder)})


def check_address(address: str) -> None:
    """Check that a service can listen at an address.

    Raises:
        BackendUnavailableError: If it is taken, by whom as far as it tells, or does not belong to this machine.
    """
    _check_free(address, field="server.address", remedy=f"choose another one: --address {free_address()}")


def free_address() -> str:
    """Return an address of this machine at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def answering_service(address: str) -> str | None:
    """Say which X-MIRAD service answers at an address to a caller without a token; None if none does."""
    try:
        with Client(callable_address(address), timeout_seconds=ANSWER_SECONDS) as client:
            info = client.server_info()
        usual = find_service(Home(absolute(DEFAULT_HOME)))
        if usual is not None and usual.boot_id == info.boot_id:
            return f"the X-MIRAD service of {absolute(DEFAULT_HOME)} (process {usual.pid})"
        return f"an X-MIRAD service (version {info.version})"
    except (UnauthenticatedError, AccessDeniedError):
        return "an X-MIRAD service that asks for a token"
    except (XmiradError, TimeoutError):
        return None


def check_models(settings: Settings) -> None:
    """Check that a command that needs a model has one to choose from.

    Raises:
        ModelNotFoundError: If the folder of the models has none.
    """
    if not _model_names(settings):
        message = f"there is no model in {settings.models_dir} yet; build one: {_build_command(settings)}"
        raise ModelNotFoundError(message, field="model", metadata={"models_dir": str(settings.models_dir)})


def missing_model(settings: Settings) -> str | None:
    """Say that the default model is not there and how to build it; None if it is there."""
    names = _model_names(settings)
    if settings.default_model in names:
        return None
    known = f"known: {', '.join(sorted(names))}" if names else "there is none yet"
    return (
        f"the default model {settings.default_model} is not in {settings.models_dir} ({known}), so images can be "
        f"stored and searched with another model only; build it: {_build_command(settings)}"
    )


def _build_command(settings: Settings) -> str:
    return f"xmirad models build {settings.default_model}"


def _model_names(settings: Settings) -> set[str]:
    """Return names and digests."""
    from xmirad.models.registry import ModelRegistry

    artifacts = ModelRegistry(settings.models_dir).list()
    return {artifact.name for artifact in artifacts} | {artifact.digest for artifact in artifacts}


def _check_free(address: str, *, field: str, remedy: str) -> None:
    if address.startswith(UNIX):
        return
    host, port = host_of(address), address.rpartition(":")[2]
    if not port.isdecimal() or int(port) > MAX_PORT:
        return  # the settings say what an address looks like
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError as error:
        raise _unusable(address, error, field=field, remedy=remedy) from error


def _unusable(address: str, error: OSError, *, field: str, remedy: str) -> BackendUnavailableError:
    metadata = {"backend": "network", "address": address}
    if error.errno != errno.EADDRINUSE:
        message = f"cannot listen at {address} ({error.strerror}); {remedy}"
        return BackendUnavailableError(message, field=field, metadata=metadata)
    holder = answering_service(address) or "another program"
    message = f"{address} is taken: {holder} listens there; stop it, or {remedy}"
    return BackendUnavailableError(message, field=field, metadata={**metadata, "holder": holder})
