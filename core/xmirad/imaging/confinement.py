"""What a decoder child gives up before it looks at a file."""

import ctypes
import os
import resource
import signal
import time

from xmirad.imaging.kernel_locks import Lock, close_calls, close_files

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_SHORTEST_SECONDS = 0.001
"""Of a timer: none at all would disarm it."""


def confine(*, memory_bytes: int, parent: int) -> frozenset[Lock]:
    """Bound this process's memory, and take core dumps, file writing, the network and new privileges from it.

    It will be killed when the thread that started it ends. To be called before any other thread exists.

    Args:
        memory_bytes: Address space that it may take.
        parent: Process id of the process that must be its parent.

    Returns:
        What the kernel has refused: the network namespace, or nothing.

    Raises:
        OSError: If a limit cannot be set or the parent is gone.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    refused = frozenset[Lock]() if _leave_network(libc) else frozenset({Lock.NETWORK})
    die_with(parent)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for number in (signal.SIGPROF, signal.SIGXCPU):  # whoever started this process may have ignored them
        signal.signal(number, signal.SIG_DFL)
    return refused


def shut_in() -> frozenset[Lock]:
    """Take files and system calls from this process that decoding does not need, after `confine`.

    Cannot be undone. Nothing that opens files elsewhere, starts processes or makes sockets works afterwards. Returns
    what the kernel has refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    closed = {Lock.FILES: close_files(libc), Lock.CALLS: close_calls(libc)}
    return frozenset(lock for lock, is_closed in closed.items() if not is_closed)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends. A fork does not inherit this.

    Raises:
        OSError: If it cannot be set or the parent is gone.
    """
    _prctl(ctypes.CDLL(None, use_errno=True), _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the parent process is gone")


class ProcessorTime:
    """The processor time of one piece of work; the kernel ends this process with SIGPROF when it is used up."""

    def __init__(self) -> None:
        """Bound nothing yet."""
        self._began = 0.0
        self.granted = 0.0

    def begin(self, seconds: float, *, most: float) -> None:
        """Allow so many seconds from now on, which may become up to `most` later.

        Should the code that is bounded disarm the timer, the kernel ends the process soon after `most` with SIGXCPU.
        """
        self._began = time.process_time()
        self.granted = 0.0
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)  # whoever started the service may have set one
        soft = int(self._began + most) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
        self.grant(seconds)

    def grant(self, seconds: float) -> None:
        """Allow so many seconds in all, if that is more than was allowed until now."""
        if seconds > self.granted:
            self.granted = seconds
            left = seconds - (time.process_time() - self._began)
            signal.setitimer(signal.ITIMER_PROF, max(left, _SHORTEST_SECONDS))

    def end(self) -> None:
        """Count no longer."""
        signal.setitimer(signal.ITIMER_PROF, 0)


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _leave_network(libc: ctypes.CDLL) -> bool:
    """Enter an empty network namespace, where the kernel allows it: as root, else with user namespaces."""
    return bool(libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)
