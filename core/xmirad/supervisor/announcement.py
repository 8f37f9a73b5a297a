"""How a running service is found: `run/service.json` in the home folder."""

import json
import os
from dataclasses import asdict, dataclass

from xmirad.errors import BackendUnavailableError
from xmirad.home import PRIVATE_FILE, Home
from xmirad.types import WorkerKind


@dataclass(frozen=True, slots=True)
class Announcement:
    """A service that is ready to serve.

    Attributes:
        address: Where it listens, `host:port`.
        pid: Its process id.
        boot_id: Identifies this start of the process; `GetServerInfo` returns the same.
        version: Version of the software.
        local_address: Where the home's owner reaches it without token and TLS, if not at `address`: the socket.
        socket: The Unix socket that only the home's owner reaches.
    """

    address: str
    pid: int
    boot_id: str
    version: str
    local_address: str = ""
    socket: str = ""

    @property
    def reachable_at(self) -> str:
        """Where processes of the home's owner call."""
        return self.local_address or self.address


def announce(home: Home, announcement: Announcement) -> None:
    """Tell that the service serves. Call it while holding the home's service lock.

    Raises:
        BackendUnavailableError: If the file cannot be written, such as where the file system is full.
    """
    temporary = home.service_file.with_suffix(".tmp")
    try:
        temporary.write_text(json.dumps(asdict(announcement)), "utf-8")
        temporary.chmod(PRIVATE_FILE)
        temporary.replace(home.service_file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        message = f"{home.service_file} cannot be written: {error.strerror}; free space, or choose another home"
        raise BackendUnavailableError(message, field="home", metadata={"backend": "home"}) from error


def withdraw(home: Home) -> None:
    """Take the announcement back. Call it while holding the home's service lock."""
    home.service_file.unlink(missing_ok=True)


def find_service(home: Home) -> Announcement | None:
    """Return the announced service, or None if there is none or its process is gone."""
    try:
        announcement = Announcement(**json.loads(home.service_file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return announcement if process_exists(announcement.pid) else None


def worker_process(home: Home, worker: WorkerKind) -> int | None:
    """Return the process id of the home's worker of a kind that takes tasks, or None if there is none."""
    try:
        pid = int(json.loads(home.worker_file(worker).read_text("utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if process_exists(pid) else None


def process_exists(pid: int) -> bool:
    """Return whether there is a process of that id, of whatever owner."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
