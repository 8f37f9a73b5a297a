import stat
import subprocess
import sys
from pathlib import Path

import pytest

from xmirad.errors import HomeInUseError
from xmirad.home import Home, exclusive

HOLD = """
import pathlib, sys
from xmirad.home import exclusive
with exclusive(pathlib.Path(sys.argv[1]), purpose="test"):
    print(flush=True)
    input()
"""


def test_all_folders_are_closed_to_others(home: Path) -> None:
    home.chmod(0o755)
    Home(home).prepare()
    folders = [home, *(path for path in home.iterdir() if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_lock_is_free_again_after_its_block(home: Path) -> None:
    lock = home / "x.lock"
    with exclusive(lock, purpose="first"):
        pass
    with exclusive(lock, purpose="second"):
        assert "second" in lock.read_text()


def test_whoever_comes_second_is_told_who_holds_the_lock_until_that_process_dies(home: Path) -> None:
    lock = home / "x.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(HomeInUseError) as caught, exclusive(lock, purpose="second"):
            pass
        assert caught.value.metadata["holder"] == f"test (process {holder.pid})"
    finally:
        holder.kill()
        holder.communicate()
    with exclusive(lock, purpose="second"):
        pass
