"""Importing, loading and running a model opens no network connection and leaves nothing in the home folder."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.models import lite0_artifact

STRACE = shutil.which("strace")
NETWORK = re.compile(r"AF_INET6?\b")
EMBED = """
import pathlib, sys, numpy
from xmirad.models.embedder import load_embedder
from xmirad.models.registry import ModelRegistry
path = pathlib.Path(sys.argv[1])
artifact = ModelRegistry(path.parent).find(path.name)
load_embedder(artifact, threads=2).embed(numpy.zeros((3, 224, 224, 3), numpy.uint8))
"""

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed (Debian package `strace`)")


def traced(program: str, folder: Path, *arguments: str) -> tuple[list[str], list[Path]]:
    """Run a Python program in an empty home; return its network calls and the files in its home afterwards."""
    home, log = folder / "home", folder / "strace.log"
    home.mkdir()
    command = [str(STRACE), "-f", "-e", "trace=%network", "-o", str(log), sys.executable, "-c", program, *arguments]
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}  # without CI, which would silence some telemetry
    subprocess.run(command, check=True, env=environment, cwd=home, timeout=100)
    calls = [line for line in log.read_text().splitlines() if NETWORK.search(line)]
    return calls, sorted(home.rglob("*"))


def test_a_serving_process_opens_no_connection_and_writes_nothing_at_home(tmp_path: Path) -> None:
    calls, written = traced(EMBED, tmp_path, str(lite0_artifact().path))

    assert calls == []
    assert written == []


def test_the_trace_sees_a_look_up_and_a_file_at_home(tmp_path: Path) -> None:
    program = (
        "import pathlib, socket\n"
        "pathlib.Path.home().joinpath('id').touch()\n"
        "try:\n    socket.getaddrinfo('analytics.invalid', 443)\n"
        "except OSError:\n    pass\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()\n"
    )
    calls, written = traced(program, tmp_path)

    assert calls
    assert [path.name for path in written] == ["id"]
