"""Checks what the kernel takes from the processes that decode images."""

import subprocess
import sys
from collections.abc import Iterator

from xmirad.doctor.findings import Finding, failed, ok, warning
from xmirad.settings import Settings

NAME = "decoder"
SECONDS = 3.0
PROBE = """
import os, sys
from xmirad.imaging.confinement import confine, shut_in
from xmirad.imaging.kernel_locks import Lock
outer = confine(memory_bytes=1 << 30, parent=os.getppid())
inner = shut_in()
print(", ".join(sorted(inner | outer if Lock.CALLS in inner else inner)))
"""
REMEDY = (
    "Linux 5.13 or later with Landlock and seccomp takes them; in a container, a seccomp profile that allows the calls "
    "landlock_create_ruleset, landlock_add_rule and landlock_restrict_self"
)


def check_decoder(_settings: Settings) -> Iterator[Finding]:
    """Have a process shut itself in as decoders do, and say what the kernel refuses."""
    command = [sys.executable, "-c", PROBE]
    try:
        probe = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        yield warning(NAME, "not finished in time", "try again when the machine has less to do")
        return
    if probe.returncode:
        yield failed(NAME, "a process cannot be confined, so no image can be decoded", REMEDY)
    elif refused := probe.stdout.strip():
        yield warning(NAME, f"the kernel refuses to shut decoders in by: {refused}", REMEDY)
    else:
        yield ok(NAME, "decoders read libraries only, and have no network and few system calls")
