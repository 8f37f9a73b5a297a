"""`xmirad tokens`: what it prints, and what it leaves in the catalog."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from xmirad.access.tokens import CatalogTokens, new_token
from xmirad.cli.main import app
from xmirad.composition import catalog
from xmirad.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--home", str(home), "tokens", *words])


def owner_of(home: Path, token: str) -> str | None:
    database = catalog(Settings(home=home)).database
    tokens = CatalogTokens(database)
    tokens.read()
    caller = tokens.caller_of(token)
    database.close()
    return None if caller is None else caller.name


def test_a_token_is_printed_once_listed_without_it_and_revoked(home: Path) -> None:
    created = run(home, "create", "--name", "viewer", "--scope", "read", "--scope", "explain", "--expires-days", "1")
    token = created.stdout.strip()
    assert owner_of(home, token) == "viewer"
    assert "XMIRAD_SECURITY__TOKENS" in created.stderr

    listed = run(home, "list", "--json")
    assert token not in listed.output
    (entry,) = json.loads(listed.stdout)
    assert (entry["name"], entry["scopes"], entry["site"]) == ("viewer", ["explain", "read"], "local")
    assert entry["expires"] > entry["created"]

    assert run(home, "revoke", "viewer").exit_code == 0
    assert owner_of(home, token) is None
    assert json.loads(run(home, "list", "--json").stdout) == []


def test_a_first_token_comes_from_a_file_and_is_made_once(home: Path, tmp_path: Path) -> None:
    file, token = tmp_path / "token", new_token()
    file.write_text(token)
    words = ("create", "--only-first", "--name", "demo", "--scope", "read", "--from-file", str(file))
    for _ in range(2):
        done = run(home, *words)
        assert (done.exit_code, done.stdout) == (0, "")
    assert owner_of(home, token) == "demo"
    run(home, "revoke", "demo")
    assert run(home, *words).exit_code == 0
    assert owner_of(home, token) is None


def test_what_is_not_allowed_is_named(home: Path, tmp_path: Path) -> None:
    run(home, "create", "--name", "viewer", "--scope", "read")
    for words, said in {
        ("create", "--name", "viewer", "--scope", "read"): "revoke it first",
        ("create", "--name", "a b", "--scope", "read"): "name must",
        ("create", "--name", "x", "--scope", "read", "--from-file", str(tmp_path / "none")): "from_file",
        ("revoke", "nobody"): "no token of the name nobody",
    }.items():
        done = run(home, *words)
        assert done.exit_code != 0
        assert said in done.output


def test_there_are_no_tokens_to_list_where_there_is_no_catalog(home: Path) -> None:
    done = run(home, "list")
    assert done.exit_code != 0
    assert "start the retrieval service once" in done.output
