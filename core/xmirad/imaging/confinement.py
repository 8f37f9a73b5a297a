"""What a decoder child gives up before it looks at a file."""

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def confine(*, memory_bytes: int, parent: int) -> None:
    """Bound this process's memory, and take core dumps, file writing, the network and new privileges from it.

    It will be killed when the thread that started it ends. To be called before any other thread exists.

    Args:
        memory_bytes: Address space that it may take.
        parent: Process id of the process that must be its parent.

    Raises:
        OSError: If a limit cannot be set or the parent is gone.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _leave_network(libc)
    _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the parent process is gone")
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def allow_cpu_seconds(seconds: int) -> None:
    """Let this process be killed once it has used this much more processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _leave_network(libc: ctypes.CDLL) -> None:
    """Enter an empty network namespace, where the kernel allows it: as root, else with user namespaces."""
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
