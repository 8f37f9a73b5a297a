import base64
import json
import time
from pathlib import Path

import pytest

from xmirad.doctor.credentials import check_credentials, expiry_of
from xmirad.doctor.findings import Finding, State
from xmirad.settings_sources import load_settings


def web_token(**claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2lnbmF0dXJl"


def examined(home: Path, **client: object) -> Finding:
    (found,) = check_credentials(load_settings({"home": home, "client": client}))
    return found


def token_file(folder: Path, token: str) -> Path:
    file = folder / "token"
    file.write_text(token)
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("token", "expiry"),
    [
        (web_token(exp=1_700_000_000), 1_700_000_000.0),
        (web_token(sub="nobody"), None),
        ("xmirad_statictoken", None),
        ("a.b.c", None),
    ],
)
def test_the_expiry_of_web_tokens_is_read_and_of_others_not_guessed(token: str, expiry: float | None) -> None:
    assert expiry_of(token) == expiry


def test_an_expired_token_is_told_without_showing_it(tmp_path: Path) -> None:
    token = web_token(exp=time.time() - 60)
    found = examined(tmp_path, token_file=token_file(tmp_path, token))
    assert found.state is State.FAILED
    assert "expired" in found.found
    assert token not in str(found)


def test_a_token_file_that_is_not_there_is_told_by_its_setting(tmp_path: Path) -> None:
    found = examined(tmp_path, token_file=tmp_path / "lost")
    assert found.state is State.FAILED
    assert "client.token_file" in found.found
    assert "client.token_file" in found.remedy


def test_a_certificate_without_its_key_is_told(tmp_path: Path) -> None:
    found = examined(tmp_path, ca_file=tmp_path / "ca", certificate_file=tmp_path / "certificate")
    assert found.state is State.FAILED
    assert "belong together" in found.found


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    found = examined(tmp_path, ca_file=token_file(tmp_path, "no certificate"))
    assert found.state is State.FAILED
    assert "client.ca_file" in found.remedy
