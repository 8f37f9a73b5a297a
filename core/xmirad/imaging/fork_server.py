"""The process that decoder children are forked from, as its parent sees it.

It has loaded all decoders, which takes a second; a child that is forked from it is ready at once, and shares its memory
until it writes to it.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass

from xmirad.imaging.kernel_locks import Lock
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.wire import FORK, MAX_MESSAGE_BYTES, limits_to_text, refused_from_bytes

START_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Keep up to 32 MiB between images: without this a tenth of the time goes into page faults.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
}


class ForkServerLostError(Exception):
    """The process ended or does not answer. It must be ended and replaced; the kernel has killed its children."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        status: Its exit status, or the negative number of the signal that killed it.
        cpu_seconds: Processor time that it had used.
    """

    status: int
    cpu_seconds: float


class ForkServer:
    """The process. Thread-safe, but it is killed by the kernel when the thread that made this object ends."""

    def __init__(self, limits: DecodeLimits) -> None:
        """Start the process; it is not ready yet.

        Raises:
            OSError: If it cannot be started.
        """
        self._lock = threading.Lock()
        self._ended: dict[int, Ended] = {}
        self._control, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = _start(its_end.fileno(), limits)
        except BaseException:
            self._control.close()
            raise
        finally:
            its_end.close()

    def wait_until_ready(self) -> frozenset[Lock]:
        """Wait until it can be forked, and return what the kernel does not take from its children.

        Raises:
            ForkServerLostError: If it ends or takes more than 30 seconds.
        """
        try:
            return refused_from_bytes(self._receive(START_SECONDS))
        except (ValueError, KeyError, TypeError) as error:
            raise ForkServerLostError("did not start") from error

    def fork(self, channel: int, memory: int) -> int:
        """Fork a child that uses two files, and return its process id.

        Raises:
            ForkServerLostError: If it ended or does not answer.
        """
        with self._lock:
            try:
                socket.send_fds(self._control, [FORK], [channel, memory])
            except OSError as error:
                raise ForkServerLostError("ended") from error
            while (forked := self._report()) is None:
                pass  # it was about a child that has ended
            return forked

    def wait_for_end(self, pid: int) -> Ended:
        """Return how a child ended that has been killed or is known to end, once it is gone.

        Raises:
            ForkServerLostError: If nothing is heard of it.
        """
        with self._lock:
            while pid not in self._ended:
                self._report()
            return self._ended.pop(pid)

    def kill(self) -> None:
        """Kill the process, from any thread; who waits for it then learns that it is lost."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process and so its children. May be repeated."""
        self._process.kill()
        self._process.wait()
        with self._lock:  # who waits for an answer is told that there is none before the file's number is used again
            self._control.close()

    def _report(self) -> int | None:
        """Take the next message: return the process id of a new child, or note how one has ended."""
        try:
            message = json.loads(self._receive(_ANSWER_SECONDS))
            pid = int(message["pid"])
            if "status" not in message:
                return pid
            self._ended[pid] = Ended(int(message["status"]), float(message["cpu_seconds"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ForkServerLostError("answered nonsense") from error
        return None

    def _receive(self, seconds: float) -> bytes:
        try:
            self._control.settimeout(seconds)
            message = self._control.recv(MAX_MESSAGE_BYTES)
        except TimeoutError as error:
            raise ForkServerLostError(f"did not answer within {seconds:g} seconds") from error
        except OSError as error:
            raise ForkServerLostError("ended") from error
        if not message:
            raise ForkServerLostError("ended")
        return message


def _start(control: int, limits: DecodeLimits) -> subprocess.Popen[bytes]:
    """Start the program with nothing of this process's environment, which may hold secrets."""
    program = [sys.executable, "-I", "-m", "xmirad.imaging.sandbox_child"]
    arguments = [str(control), str(os.getpid()), limits_to_text(limits)]
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return subprocess.Popen(
        program + arguments,
        env=_ENVIRONMENT | ({"LD_LIBRARY_PATH": library_path} if library_path else {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(control,),
        cwd="/",
        # An interrupt from the keyboard is for the parent, which may still need its children. Not a session of its own:
        # where the kernel groups processes by session, a niceness counts among those of one session only.
        process_group=0,
    )
