"""Processes that ended in the middle of their work: whoever works on something says so, and who comes next looks."""

import os
import socket
import time

from xmirad.queue.connection import PREFIX, Server, available

KEPT_SECONDS = 3_600
_AT_WORK = f"{PREFIX}working:"
_LOST = f"{PREFIX}lost:"


class Losses:
    """Counts the processes that work on one thing has taken with it, however many tasks the work consists of.

    A process of this machine is lost when it is gone, one of another machine when it has been at a task for longer than
    any task may take. A redelivered task may come long after, behind all others of the same work; this count does not
    wait for it.
    """

    def __init__(self, server: Server, *, longest_seconds: float) -> None:
        """Count on a server; no task takes longer than `longest_seconds`."""
        self._server = server
        self._longest = longest_seconds
        self._host = socket.gethostname()

    def begin(self, work: str, task: str) -> int:
        """Say that this process is at a task, and return how many have been lost at the same work.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            for other, holder in self._server.hgetall(_AT_WORK + work).items():
                if self._is_lost(holder) and self._server.hdel(_AT_WORK + work, other):
                    self._server.incr(_LOST + work)
                    self._server.expire(_LOST + work, KEPT_SECONDS)
            self._server.hset(_AT_WORK + work, task, f"{self._host} {os.getpid()} {time.time()}")
            self._server.expire(_AT_WORK + work, KEPT_SECONDS)
            return int(self._server.get(_LOST + work) or 0)

    def end(self, work: str, task: str) -> None:
        """Say that a task has come to an end, whichever.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            self._server.hdel(_AT_WORK + work, task)

    def clear(self, work: str) -> None:
        """Forget what was lost, because the work got on or is given up.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            self._server.delete(_LOST + work)

    def _is_lost(self, holder: str) -> bool:
        host, pid, since = holder.rsplit(" ", 2)
        if host != self._host:
            return time.time() - float(since) > self._longest
        return not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return True
