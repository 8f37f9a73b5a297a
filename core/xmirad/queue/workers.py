"""Which workers are alive: each says so every two seconds, and is taken for gone when it has not for ten."""

import socket
from collections.abc import Iterable
from uuid import uuid4

from xmirad.queue.connection import PREFIX, Server, available
from xmirad.types import WorkerKind

WORKERS = f"{PREFIX}workers"
ALIVE_SECONDS = 10
NAME_CHARACTERS = 16


# The server's clock is the only one that all agree on.
_BEAT = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]) - 1)
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[2]))
return now
"""
ALIVE_SCRIPT = """
local now = tonumber(redis.call('TIME')[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], now - tonumber(ARGV[1]), '+inf')
"""


class WorkerRoll:
    """The workers that are alive, on a server."""

    def __init__(self, server: Server) -> None:
        """Keep the roll on a server."""
        self._server = server

    def beat(self, worker: str) -> None:
        """Say that a worker is alive.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            self._server.eval(_BEAT, 1, WORKERS, worker, str(ALIVE_SECONDS))

    def leave(self, worker: str) -> None:
        """Say that a worker ends.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            self._server.zrem(WORKERS, worker)


def worker_name(kind: WorkerKind) -> str:
    """Return a new name for a worker; a random one, since containers may share host names and process ids."""
    return f"{kind}-{uuid4().hex[:NAME_CHARACTERS]}@{socket.gethostname()}"


def count_by_kind(workers: Iterable[str]) -> dict[WorkerKind, int]:
    """Return how many workers there are of each kind."""
    kinds = [name.partition("-")[0] for name in workers]
    return {kind: kinds.count(kind) for kind in WorkerKind}
