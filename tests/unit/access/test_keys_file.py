"""The file of tokens: what is in it, who may read it, and how it changes."""

import re
from pathlib import Path

import pytest

from xmirad.access.caller import Caller, Scope
from xmirad.access.keys_file import create_token, digest_of, read_closed_keys, read_keys, revoke_token
from xmirad.errors import InvalidRequestError

READ = (Scope.READ,)


def test_the_file_holds_a_digest_and_never_the_token(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    token = create_token(path, name="viewer", scopes=(Scope.READ, Scope.EXPLAIN), site="north")

    (key,) = read_keys(path)

    assert key.sha256 == digest_of(token)
    assert key.caller == Caller("viewer", "north", frozenset({Scope.READ, Scope.EXPLAIN}))
    assert token not in path.read_text()
    assert len(token) > 43  # 256 bits


def test_only_the_owner_may_read_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.toml"
    create_token(path, name="viewer", scopes=READ, site="local")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o666, 0o644])
def test_the_service_takes_no_file_that_others_may_read_and_names_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.toml"
    create_token(path, name="viewer", scopes=READ, site="local")
    path.chmod(mode)
    with pytest.raises(InvalidRequestError, match="chmod 600") as caught:
        read_closed_keys(path)
    assert caught.value.field == "security.keys_file"


def test_a_file_that_is_open_for_a_container_can_be_changed_and_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    create_token(path, name="one", scopes=READ, site="local")
    path.chmod(0o644)
    create_token(path, name="two", scopes=READ, site="local")
    assert [key.caller.name for key in read_keys(path)] == ["one", "two"]
    revoke_token(path, name="one")
    assert [key.caller.name for key in read_keys(path)] == ["two"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(str(tmp_path / "none.toml"))):
        read_keys(tmp_path / "none.toml")


def test_a_revoked_token_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    create_token(path, name="one", scopes=READ, site="local")
    create_token(path, name="two", scopes=READ, site="local")
    revoke_token(path, name="one")
    assert [key.caller.name for key in read_keys(path)] == ["two"]
    with pytest.raises(InvalidRequestError, match="no token of the name one"):
        revoke_token(path, name="one")


def test_a_name_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    create_token(path, name="viewer", scopes=READ, site="local")
    with pytest.raises(InvalidRequestError, match="revoke it first"):
        create_token(path, name="viewer", scopes=READ, site="local")


@pytest.mark.parametrize(
    ("name", "scopes", "site"),
    [
        ("", READ, "local"),
        ("a b", READ, "local"),
        ('"', READ, "local"),
        ("viewer", (), "local"),
        ("viewer", READ, ""),
        ("viewer", READ, "s" * 65),
        ("viewer", READ, "a\nb"),
    ],
)
def test_values_that_would_not_be_read_back_are_refused(
    tmp_path: Path, name: str, scopes: tuple[Scope, ...], site: str
) -> None:
    with pytest.raises(InvalidRequestError):
        create_token(tmp_path / "keys.toml", name=name, scopes=scopes, site=site)
    assert not (tmp_path / "keys.toml").exists()


@pytest.mark.parametrize(
    "text",
    [
        "tokens = 1",
        "[[tokens]]\nname = 'a'",
        "[[tokens]]\nname = 'a'\nsha256 = 'plain'\nscopes = ['read']\nsite = 'local'",
        f"[[tokens]]\nname = 'a'\nsha256 = '{'0' * 64}'\nscopes = ['everything']\nsite = 'local'",
        f"[[tokens]]\nname = 'a'\nsha256 = '{'0' * 64}'\nscopes = 'read'\nsite = 'local'",
        f"[[tokens]]\nname = 'a'\nsha256 = '{'0' * 64}'\nscopes = ['read']\nsite = 'local'\ntoken = 'x'",
        f"[[tokens]]\nname = 'a'\nsha256 = '{'0' * 64}'\nscopes = ['read']\nsite = 'local'\n" * 2,
        "not toml",
    ],
)
def test_a_file_that_is_not_understood_is_refused_as_a_whole(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidRequestError, match=r"security\.keys_file"):
        read_keys(path)
