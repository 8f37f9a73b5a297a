from collections.abc import Callable
from pathlib import Path

import pytest

from xmirad.client.credentials import NO_CREDENTIALS
from xmirad.errors import BackendUnavailableError
from xmirad.home import Home
from xmirad.settings import DEFAULT_HOME
from xmirad.settings_sources import load_settings
from xmirad.supervisor import connection
from xmirad.supervisor.announcement import Announcement, announce
from xmirad.supervisor.connection import Connection, private_service, running_service
from xmirad.supervisor.programs import embedded_system

PID_ONE = 1  # always there


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Make addresses answer with boot ids."""

    def set_answers(boot_ids: dict[str, str]) -> None:
        monkeypatch.setattr(connection, "answers", lambda address, _settings=None: boot_ids.get(address))

    return set_answers


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XMIRAD_HOME", str(tmp_path))
    home = Home(tmp_path)
    home.prepare()
    return home


def test_the_announced_service_is_used_if_it_is_the_one_that_answers(
    home: Home, answering: Callable[[dict[str, str]], None]
) -> None:
    announce(home, Announcement("127.0.0.1:7000", PID_ONE, "boot", "0"))
    answering({"127.0.0.1:7000": "boot"})
    assert running_service(load_settings()) == Connection("127.0.0.1:7000", private=False, credentials=NO_CREDENTIALS)
    answering({"127.0.0.1:7000": "another boot"})
    assert running_service(load_settings()) is None


def test_the_default_address_may_belong_to_another_home(
    home: Home, answering: Callable[[dict[str, str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering({"127.0.0.1:50051": "boot"})
    assert running_service(load_settings()) is None
    monkeypatch.setattr(connection, "find_service", lambda _home: None)
    found = running_service(load_settings({"home": DEFAULT_HOME}))
    assert found is not None
    assert found.address == "127.0.0.1:50051"


def test_an_address_of_ones_own_is_believed(home: Home, answering: Callable[[dict[str, str]], None]) -> None:
    answering({"10.0.0.1:50051": "boot"})
    settings = load_settings({"server": {"address": "10.0.0.1:50051"}})
    with private_service(settings, notify=lambda _: None) as found:
        assert (found.address, found.private) == ("10.0.0.1:50051", False)


def test_no_private_service_takes_the_place_of_a_remote_one(
    home: Home, answering: Callable[[dict[str, str]], None]
) -> None:
    answering({})
    settings = load_settings({"server": {"address": "10.0.0.1:50051"}})
    with (
        pytest.raises(BackendUnavailableError, match=r"10\.0\.0\.1:50051"),
        private_service(settings, notify=lambda _: None),
    ):
        pass


def test_processes_are_told_what_flags_have_set(home: Home, tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path / "x", "models_dir": tmp_path / "m", "default_model": "densenet121"})
    (program,) = embedded_system(settings, address="127.0.0.1:7000")
    assert program.environment["XMIRAD_HOME"] == str(tmp_path / "x")
    assert program.environment["XMIRAD_MODELS_DIR"] == str(tmp_path / "m")
    assert program.environment["XMIRAD_DEFAULT_MODEL"] == "densenet121"
    assert program.environment["XMIRAD_SERVER__ADDRESS"] == "127.0.0.1:7000"
    assert program.stop_seconds > settings.server.drain_seconds
