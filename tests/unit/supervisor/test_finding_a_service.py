from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xmirad.client.credentials import NO_CREDENTIALS
from xmirad.errors import BackendUnavailableError, InvalidRequestError, ModelNotFoundError, UnauthenticatedError
from xmirad.home import Home
from xmirad.settings import DEFAULT_HOME
from xmirad.settings_sources import load_settings
from xmirad.supervisor import connection
from xmirad.supervisor.announcement import Announcement, announce
from xmirad.supervisor.connection import Connection, PrivateUse, private_service, running_service
from xmirad.supervisor.programs import embedded_system
from xmirad.types import WorkerKind

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


USUAL = "127.0.0.1:50051"


@pytest.fixture
def other_service(monkeypatch: pytest.MonkeyPatch, answering: Callable[[dict[str, str]], None]) -> None:
    """A service of another home that asks for a token, at the usual address."""
    answering({})
    monkeypatch.setattr(connection, "listens", lambda address: address == USUAL)
    monkeypatch.setattr(connection, "answering_service", lambda _: "an X-MIRAD service that asks for a token")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[WorkerKind, ...]]:
    """Stands in for starting a service of the home's own; holds the workers of each start."""
    starts: list[tuple[WorkerKind, ...]] = []

    @contextmanager
    def own_service(*_: object, workers: tuple[WorkerKind, ...]) -> Iterator[str]:
        starts.append(workers)
        yield "127.0.0.1:7001"

    monkeypatch.setattr(connection, "_own_service", own_service)
    return starts


@pytest.mark.usefixtures("other_service")
def test_no_empty_service_is_started_beside_one_at_the_usual_address(
    home: Home, started: list[tuple[WorkerKind, ...]]
) -> None:
    with pytest.raises(InvalidRequestError) as caught, private_service(load_settings(), notify=lambda _: None):
        pass
    message = caught.value.message
    assert f"asks for a token answers at {USUAL} and is not that of this home ({home.root})" in message
    assert f"to reach it: --address {USUAL} --token-file FILE" in message
    assert message.endswith("--private")
    assert started == []


@pytest.mark.usefixtures("other_service")
def test_a_home_that_holds_data_is_used_with_a_word_about_the_other_service(
    home: Home, started: list[tuple[WorkerKind, ...]]
) -> None:
    (home.blobs / "archives").mkdir()
    notes: list[str] = []
    with private_service(load_settings(), notify=notes.append) as found:
        assert found.private
    assert f"to reach it: --address {USUAL}" in notes[0]
    assert started == [()]


@pytest.mark.usefixtures("other_service", "home")
def test_a_private_service_is_started_where_it_is_asked_for(started: list[tuple[WorkerKind, ...]]) -> None:
    notes: list[str] = []
    use = PrivateUse(workers=tuple(WorkerKind), is_asked_for=True)
    with private_service(load_settings(), notify=notes.append, use=use) as found:
        assert found.address == "127.0.0.1:7001"
    assert (started, notes) == ([tuple(WorkerKind)], [])


@pytest.mark.usefixtures("other_service", "home")
def test_a_program_that_is_not_ours_at_the_usual_address_is_mentioned(
    started: list[tuple[WorkerKind, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "answering_service", lambda _: None)
    notes: list[str] = []
    with private_service(load_settings(), notify=notes.append):
        pass
    assert "does not answer as an X-MIRAD service without TLS" in notes[0]


@pytest.mark.usefixtures("home")
def test_a_service_that_asks_for_a_token_is_named_with_both_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str, _settings: object = None) -> str | None:
        raise UnauthenticatedError("the call has no bearer token")

    monkeypatch.setattr(connection, "answers", refuse)
    settings = load_settings({"server": {"address": "10.0.0.1:50051"}})
    with pytest.raises(UnauthenticatedError, match=r"10\.0\.0\.1:50051 asks for a token: .*--token-file.*--private"):
        running_service(settings)


@pytest.mark.usefixtures("home")
def test_without_any_model_nothing_is_started_for_a_command_that_needs_one(
    answering: Callable[[dict[str, str]], None],
    started: list[tuple[WorkerKind, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering({})
    monkeypatch.setattr(connection, "listens", lambda _: False)
    settings = load_settings({"models_dir": tmp_path / "none"})
    with (
        pytest.raises(ModelNotFoundError, match="xmirad models build"),
        private_service(settings, notify=lambda _: None, use=PrivateUse(needs_model=True)),
    ):
        pass
    assert started == []
