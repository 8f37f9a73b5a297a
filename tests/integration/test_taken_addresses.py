import socket
from collections.abc import Iterator

import pytest

from xmirad.errors import BackendUnavailableError
from xmirad.settings_sources import load_settings
from xmirad.supervisor import starting
from xmirad.supervisor.starting import check_address, check_start


@pytest.fixture
def taken() -> Iterator[str]:
    """An address at which a program listens that is not X-MIRAD."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_taken_address_is_named_with_a_free_one(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "answering_service", lambda _address: None)
    with pytest.raises(BackendUnavailableError) as caught:
        check_address(taken)
    message = caught.value.message
    assert f"{taken} is taken: another program listens there; stop it, or choose another one: --address 127" in message
    check_address(message.rpartition(" ")[2])


def test_a_service_of_our_own_that_holds_the_address_is_named(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "answering_service", lambda _address: "an X-MIRAD service (version 0.1.0)")
    with pytest.raises(BackendUnavailableError, match=r"taken: an X-MIRAD service \(version 0\.1\.0\) listens there"):
        check_address(taken)


def test_the_port_of_the_metrics_page_is_checked_too(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "answering_service", lambda _address: None)
    settings = load_settings({"metrics": {"port": int(taken.rpartition(":")[2])}})
    with pytest.raises(BackendUnavailableError, match="XMIRAD_METRICS__PORT") as caught:
        check_start(settings, address="127.0.0.1:0")
    assert caught.value.field == "metrics.port"


def test_an_address_of_another_machine_cannot_be_listened_at() -> None:
    with pytest.raises(BackendUnavailableError, match=r"cannot listen at 192\.0\.2\.1:1"):
        check_address("192.0.2.1:1")
