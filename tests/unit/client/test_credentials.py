"""When a client shows its token, and to whom it does not."""

from pathlib import Path

import pytest

from xmirad.client import Client, Credentials
from xmirad.errors import InvalidRequestError


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/x.sock", "dns:///localhost:1", "ipv4:127.0.0.1:1"]
)
def test_a_token_may_go_to_this_machine_without_tls(address: str) -> None:
    Credentials(token="secret").check(address)


@pytest.mark.parametrize("address", ["10.0.0.1:1", "127.evil.test:1", "localhost.test:1", "dns:///127.0.0.1.test:1"])
def test_a_token_goes_nowhere_else_without_tls_unless_that_is_said(address: str, tmp_path: Path) -> None:
    for credentials in (Credentials(token="secret"), Credentials(token_file=tmp_path / "token")):
        with pytest.raises(InvalidRequestError, match="without TLS") as caught:
            credentials.check(address)
        assert "secret" not in caught.value.message
    Credentials(token="secret", insecure=True).check(address)
    Credentials(token="secret", ca_file=tmp_path / "ca.pem").check(address)
    Credentials().check(address)


def test_a_client_is_not_even_made_for_a_token_that_would_leak() -> None:
    with pytest.raises(InvalidRequestError, match="without TLS"):
        Client("10.0.0.1:50051", credentials=Credentials(token="secret"))


def test_the_token_is_not_shown_where_credentials_are_printed() -> None:
    assert "secret" not in repr(Credentials(token="secret"))


def test_a_new_token_in_the_file_is_used_with_the_next_call(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    credentials = Credentials(token_file=file)
    assert dict(credentials.metadata("id"))["authorization"] == "Bearer first"
    file.write_text("second\n")
    assert dict(credentials.metadata("id"))["authorization"] == "Bearer second"


@pytest.mark.parametrize("content", ["", "\n", "two words", "é", "a\nb"])
def test_a_file_that_holds_no_token_is_named_and_its_content_is_not(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(InvalidRequestError, match=r"client\.token_file") as caught:
        Credentials(token_file=file).metadata("id")
    assert "two words" not in caught.value.message


def test_half_a_client_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="belong together"):
        Credentials(ca_file=tmp_path / "a", certificate_file=tmp_path / "b").check("127.0.0.1:1")
    with pytest.raises(InvalidRequestError, match="needs TLS"):
        Credentials(certificate_file=tmp_path / "a", key_file=tmp_path / "b").check("127.0.0.1:1")
