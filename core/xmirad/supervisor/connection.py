"""A service to talk to: the one that runs, else one of our own for as long as it takes."""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from xmirad.client.credentials import NO_CREDENTIALS, Credentials
from xmirad.errors import ArchiveNotReadyError, BackendUnavailableError
from xmirad.home import PRIVATE_FILE, Home, exclusive
from xmirad.settings import DEFAULT_HOME, ServerSettings, Settings
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.programs import answers, credentials_of, embedded_system
from xmirad.supervisor.supervisor import Supervisor

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


@contextmanager
def private_service(
    settings: Settings, *, notify: Callable[[str], None], explains: bool = False
) -> Iterator[Connection]:
    """Yield the running service of the home; if there is none, run one of our own until the block ends.

    A private service is shared: another command on the same home uses it too, and it ends after the last of them.
    With `explains` it has a queue and an explainer.

    Raises:
        BackendUnavailableError: If no service answers at a remote address, or none can be started.
        ArchiveNotReadyError: If the home is held by a process that serves nothing.
    """
    with ExitStack() as stack:
        yield _connect(settings, stack, notify, explains=explains)


def running_service(settings: Settings) -> Connection | None:
    """Return the service that answers for these settings, or None.

    The home's announcement counts first, then the configured address. The default address is asked only for the default
    home: elsewhere it may well belong to the service of another home.

    Raises:
        UnauthenticatedError: If the service at the configured address asks for another token.
        AccessDeniedError: If the token may not read.
        InvalidRequestError: If the client's settings cannot be used.
    """
    announced = find_service(Home(settings.home))
    if announced is not None and answers(announced.reachable_at) == announced.boot_id:
        return Connection(announced.reachable_at, private=False, credentials=NO_CREDENTIALS)
    usual = settings.server.address == ServerSettings().address
    if usual and settings.home != DEFAULT_HOME.expanduser().absolute():
        return None
    if not answers(settings.server.address, settings.client):
        return None
    return Connection(settings.server.address, private=False, credentials=credentials_of(settings.client))


def _connect(settings: Settings, stack: ExitStack, notify: Callable[[str], None], *, explains: bool) -> Connection:
    home = Home(settings.home)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        running = running_service(settings)
        if running is not None and _join_users(home, stack):
            return running
        if running is None:
            _check_local(settings.server.address)
            try:
                address = stack.enter_context(_own_service(settings, home, notify, explains=explains))
                return Connection(address, private=True, credentials=NO_CREDENTIALS)
            except ArchiveNotReadyError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(POLL_SECONDS)


def _check_local(address: str) -> None:
    if address.rpartition(":")[0] not in LOCAL_HOSTS:
        message = f"no service answers at {address}"
        raise BackendUnavailableError(message, field="address", metadata={"backend": "retrieval", "address": address})


@contextmanager
def _own_service(settings: Settings, home: Home, notify: Callable[[str], None], *, explains: bool) -> Iterator[str]:
    home.prepare()
    with exclusive(home.supervisor_lock, purpose="the private service of a command"):
        check_free(home)
        address = _free_address()
        supervisor = Supervisor(
            embedded_system(settings, address=address, explains=explains), folder=home.run, notify=notify
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
        except BackendUnavailableError as error:
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
        ArchiveNotReadyError: If one does.
    """
    with exclusive(home.service_lock, purpose="a check before the start"):
        pass


def _run_quietly(supervisor: Supervisor) -> None:
    try:
        supervisor.run()
    except BackendUnavailableError:
        return  # kept as `supervisor.failure`, which whoever waits for it raises


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


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
