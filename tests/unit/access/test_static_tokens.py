"""Tokens of the keys file while a service runs."""

from pathlib import Path

import pytest

from xmirad.access.authentication import REFUSED, Authenticator
from xmirad.access.caller import Scope
from xmirad.access.keys_file import create_token, revoke_token
from xmirad.access.static_tokens import StaticTokens
from xmirad.errors import UnauthenticatedError


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def created(path: Path, name: str) -> str:
    return create_token(path, name=name, scopes=(Scope.READ,), site="local")


def test_a_token_stands_for_its_owner_and_any_other_for_nobody(path: Path) -> None:
    token, tokens = created(path, "viewer"), StaticTokens(path)
    caller = tokens.caller_of(token)
    assert caller is not None
    assert caller.name == "viewer"
    for other in (token[:-1], token + "x", token.upper(), "", "é"):
        assert tokens.caller_of(other) is None


def test_a_changed_file_is_read_again_within_a_second(path: Path) -> None:
    clock, first = Clock(), created(path, "one")
    tokens = StaticTokens(path, clock=clock)
    second = created(path, "two")
    revoke_token(path, name="one")

    clock.now = 1.1

    assert tokens.caller_of(first) is None
    assert tokens.caller_of(second) is not None


@pytest.mark.parametrize("spoil", ["open", "break", "remove"])
def test_a_file_that_has_become_unusable_accepts_nobody_until_it_is_good_again(path: Path, spoil: str) -> None:
    clock, token = Clock(), created(path, "viewer")
    tokens, good = StaticTokens(path, clock=clock), path.read_text()
    if spoil == "open":
        path.chmod(0o644)
    elif spoil == "break":
        path.write_text("tokens = nonsense")
    else:
        path.unlink()
    clock.now = 2.0
    assert tokens.caller_of(token) is None

    path.write_text(good)
    path.chmod(0o600)
    clock.now = 4.0
    assert tokens.caller_of(token) is not None


@pytest.mark.parametrize("header", ["", "{token}", "Basic {token}", "Bearer", "Bearer ", "Bearer  {token}"])
def test_whatever_is_no_bearer_token_is_refused_with_one_message(path: Path, header: str) -> None:
    token = created(path, "viewer")
    authenticator = Authenticator([StaticTokens(path)])
    assert authenticator.caller_of(f"bearer {token}").name == "viewer"
    with pytest.raises(UnauthenticatedError) as caught:
        authenticator.caller_of(header.format(token=token))
    assert caught.value.message == REFUSED
    assert caught.value.metadata == {}
