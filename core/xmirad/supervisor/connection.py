"""A service to talk to: the one that runs, else one of our own for as long as it takes."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from xmirad.client.credentials import NO_CREDENTIALS, Credentials
from xmirad.errors import (
    BackendUnavailableError,
    HomeInUseError,
    InvalidRequestError,
    UnauthenticatedError,
    XmiradError,
)
from xmirad.home import PRIVATE_FILE, Home, exclusive
from xmirad.settings import DEFAULT_HOME, ServerSettings, Settings
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.programs import answers, credentials_of, embedded_system, listens
from xmirad.supervisor.starting import answering_service, check_models, check_room, free_address, missing_model
from xmirad.supervisor.supervisor import Supervisor
from xmirad.types import WorkerKind

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]"})  # noqa: S104 - compared, not bound
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a service answers.

    Attributes:
        address: Its address.
        private: True if it was started for this command and stops with it.
        credentials: What it asks for: nothing, if it is the home's own.
    """

    address: str
    private: bool
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class PrivateUse:
    """What a command wants of a service of its own.

    Attributes:
        workers: What it needs beside the service.
        needs_model: It is of no use without a model.
        is_asked_for: It was asked for, whatever service answers at the usual address.
    """

    workers: tuple[WorkerKind, ...] = ()
    needs_model: bool = False
    is_asked_for: bool = False


PLAIN_USE = PrivateUse()


@contextmanager
def private_service(
    settings: Settings, *, notify: Callable[[str], None], use: PrivateUse = PLAIN_USE
) -> Iterator[Connection]:
    """Yield the running service of the home; if there is none, run one of our own until the block ends.

    A private service is shared: another command on the same home uses it too, and it ends after the last of them.
    It is never started without a word where another home's service answers at the usual address.

    Raises:
        BackendUnavailableError: If no service answers at a remote address, or none can be started.
        HomeInUseError: If the home is held by a process that serves nothing.
        InvalidRequestError: If the home is empty and a service that is not its own answers at the usual address.
        ModelNotFoundError: If a model is needed and there is none.
        XmiradError: If the service refuses to start: its own error.
    """
    with ExitStack() as stack:
        yield _connect(settings, stack, notify, use)


def running_service(settings: Settings) -> Connection | None:
    """Return the service that answers for these settings, or None.

    The home's announcement counts first, then the configured address. The default address is asked only for the default
    home: elsewhere it may well belong to the service of another home.

    Raises:
        UnauthenticatedError: If the service at the configured address asks for another token.
        AccessDeniedError: If the token may not read.
        InvalidRequestError: If the client's settings cannot be used.
    """
    own = _own_announced(Home(settings.home))
    if own is not None:
        return own
    usual = settings.server.address == ServerSettings().address
    if usual and settings.home != DEFAULT_HOME.expanduser().absolute():
        return None
    try:
        if not answers(settings.server.address, settings.client):
            return None
    except UnauthenticatedError as error:
        raise _not_accepted(settings) from error
    return Connection(settings.server.address, private=False, credentials=credentials_of(settings.client))


def _own_announced(home: Home) -> Connection | None:
    """Return the service that the home announces, if it answers."""
    announced = find_service(home)
    if announced is None or answers(announced.reachable_at) != announced.boot_id:
        return None
    return Connection(announced.reachable_at, private=False, credentials=NO_CREDENTIALS)


def _not_accepted(settings: Settings) -> UnauthenticatedError:
    address, file = settings.server.address, settings.client.token_file
    said = "asks for a token" if file is None else f"does not accept the token in {file}"
    message = (
        f"the service at {address} {said}: name the file of one that it accepts with --token-file, or go on with a "
        "service of this home's own: --private"
    )
    return UnauthenticatedError(message, field="client.token_file", metadata={"address": address})


def _check_other_service(settings: Settings, home: Home, notify: Callable[[str], None]) -> None:
    """Say which service answers at the usual address, if one does that is not this home's.

    Raises:
        InvalidRequestError: If the home is empty: whoever calls then hardly means it.
    """
    address = settings.server.address
    if address != ServerSettings().address or not listens(address):
        return
    found = answering_service(address)
    if found is None:
        notify(
            f"note: a program listens at {address} that does not answer as an X-MIRAD service without TLS; to reach "
            f"one behind TLS: --address {address} with XMIRAD_CLIENT__CA_FILE"
        )
        return
    token = " --token-file FILE" if "token" in found else ""
    said = f"{found} answers at {address} and is not that of this home ({home.root}); to reach it: --address {address}"
    if home.is_empty():
        message = f"{said}{token}; to use an empty service of this home's own instead: --private"
        raise InvalidRequestError(message, field="address", metadata={"address": address})
    notify(f"note: {said}{token}; going on with what this home holds")


def _connect(settings: Settings, stack: ExitStack, notify: Callable[[str], None], use: PrivateUse) -> Connection:
    home = Home(settings.home)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        running = _own_announced(home) if use.is_asked_for else running_service(settings)
        if running is not None and _join_users(home, stack):
            return running
        if running is None:
            _check_local(settings.server.address)
            if not use.is_asked_for:
                _check_other_service(settings, home, notify)
            if use.needs_model:
                check_models(settings)
            check_room(settings)
            try:
                address = stack.enter_context(_own_service(settings, home, notify, workers=use.workers))
                return Connection(address, private=True, credentials=NO_CREDENTIALS)
            except HomeInUseError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(POLL_SECONDS)


def _check_local(address: str) -> None:
    if address.rpartition(":")[0] not in LOCAL_HOSTS:
        message = f"no service answers at {address}"
        raise BackendUnavailableError(message, field="address", metadata={"backend": "retrieval", "address": address})


@contextmanager
def _own_service(
    settings: Settings, home: Home, notify: Callable[[str], None], *, workers: tuple[WorkerKind, ...]
) -> Iterator[str]:
    home.prepare()
    with exclusive(home.supervisor_lock, purpose="the private service of a command"):
        check_free(home)
        lacking = missing_model(settings)
        if lacking is not None:
            notify(f"warning: {lacking}")
        address = free_address()
        supervisor = Supervisor(
            embedded_system(settings, address=address, workers=workers), folder=home.run, notify=notify
        )
        thread = threading.Thread(target=_run_quietly, args=(supervisor,), name="supervisor")
        thread.start()
        users = _users_file(home)
        try:
            supervisor.wait_until_ready()
            try:
                service = find_service(home)
                yield address if service is None else service.reachable_at
            finally:
                _wait_for_users(users, notify)
        except XmiradError as error:
            if supervisor.failure is not None and error is not supervisor.failure:
                raise supervisor.failure from error
            raise
        finally:
            supervisor.stop()
            thread.join()
            os.close(users)


def check_free(home: Home) -> None:
    """Check that no process owns the home's data.

    Raises:
        HomeInUseError: If one does.
    """
    with exclusive(home.service_lock, purpose="a check before the start"):
        pass


def _run_quietly(supervisor: Supervisor) -> None:
    try:
        supervisor.run()
    except XmiradError:
        return  # kept as `supervisor.failure`, which whoever waits for it raises


def _users_file(home: Home) -> int:
    return os.open(home.run / "service.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)


def _join_users(home: Home, stack: ExitStack) -> bool:
    """Keep a private service of another command alive; return False if it is just about to end."""
    if not home.run.is_dir():
        return True
    descriptor = _users_file(home)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    stack.callback(os.close, descriptor)
    return True


def _wait_for_users(users: int, notify: Callable[[str], None]) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        notify("another command still uses the service that this one started; waiting for it (Ctrl-C: do not wait)")
        fcntl.flock(users, fcntl.LOCK_EX)
