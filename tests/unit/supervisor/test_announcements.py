import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from xmirad.home import Home
from xmirad.supervisor.announcement import Announcement, announce, find_service, withdraw


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_a_service_that_announced_itself_is_found(home: Home) -> None:
    service = Announcement("127.0.0.1:1", os.getpid(), "boot", "0.1.0")
    announce(home, service)
    assert find_service(home) == service
    assert stat.S_IMODE(home.service_file.stat().st_mode) == 0o600
    withdraw(home)
    assert find_service(home) is None


def test_the_announcement_of_a_dead_process_does_not_count(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    announce(home, Announcement("127.0.0.1:1", process.pid, "boot", "0.1.0"))
    assert find_service(home) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"address": "x"}', '{"address": "x", "pid": 1, "other": 2}'])
def test_a_broken_announcement_does_not_count(home: Home, text: str) -> None:
    home.service_file.write_text(text)
    assert find_service(home) is None


def test_a_home_that_is_not_there_has_no_service(tmp_path: Path) -> None:
    assert find_service(Home(tmp_path / "absent")) is None
