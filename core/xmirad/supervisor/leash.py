"""Runs a program that dies with the thread that started it: `leash.py PARENT_PID PROGRAM ARGUMENT...`.

Runs as a file of its own, before anything of X-MIRAD is imported, so that not even a start cut short leaves a process
behind. Linux only (`PR_SET_PDEATHSIG`); elsewhere the program is merely run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
EXIT_WITHOUT_PARENT = 70


def main() -> None:
    """Ask the kernel for the end, then become the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(EXIT_WITHOUT_PARENT)
    os.execvp(command[0], command)  # noqa: S606 - the command is the supervisor's own


if __name__ == "__main__":
    main()
