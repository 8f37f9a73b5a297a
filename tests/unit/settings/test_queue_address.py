"""The URL of the queue, completed by what lies in files."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from xmirad.errors import InvalidRequestError
from xmirad.queue.address import queue_url
from xmirad.settings_sources import effective, load_settings

PASSWORD = "p@ss/w:rd#%?"


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    return file


def url_of(tmp_path: Path, **queue: object) -> str:
    url = queue_url(load_settings({"home": tmp_path, "queue": queue}))
    assert url is not None
    return url


def test_a_password_of_any_characters_gets_into_the_url(tmp_path: Path, password_file: Path) -> None:
    parts = urlsplit(url_of(tmp_path, url="redis://queue:6379/2", password_file=password_file))
    assert unquote(parts.password or "") == PASSWORD
    assert (parts.scheme, parts.hostname, parts.port, parts.path) == ("redis", "queue", 6379, "/2")


def test_the_user_of_the_url_is_kept(tmp_path: Path, password_file: Path) -> None:
    parts = urlsplit(url_of(tmp_path, url="redis://worker@queue:6379/0", password_file=password_file))
    assert parts.username == "worker"


def test_tls_always_checks_the_server(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    query = parse_qs(urlsplit(url_of(tmp_path, url="rediss://queue:6379/0?ssl_cert_reqs=none", ca_file=ca)).query)
    assert query == {"ssl_cert_reqs": ["required"], "ssl_ca_certs": [str(ca)]}


def test_contradictions_are_refused_with_the_setting(tmp_path: Path, password_file: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"queue\.password_file") as caught:
        url_of(tmp_path, url="redis://:other@queue:6379", password_file=password_file)
    assert "other" not in caught.value.message
    with pytest.raises(InvalidRequestError, match="rediss://"):
        url_of(tmp_path, url="redis://queue:6379", ca_file=password_file)
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        url_of(tmp_path, url="redis://queue:6379", password_file=tmp_path / "none")


def test_no_secret_is_shown_with_the_settings(tmp_path: Path, password_file: Path) -> None:
    flags = {
        "home": tmp_path,
        "queue": {"url": "redis://:planted@queue:6379", "password_file": password_file},
        "store": {"api_key": "planted"},
        "blobs": {"url": "s3://user:planted@store/blobs"},
    }
    shown = " ".join(str(entry.value) for entry in effective(load_settings(flags), flags))
    assert "planted" not in shown
    assert PASSWORD not in shown
    assert str(password_file) in shown


@pytest.mark.parametrize("url", ["unix:///run/valkey.sock", "redis://queue:6379/0", "unix:///run/valkey.sock?db=1"])
def test_a_url_that_needs_nothing_stays_as_it_is(tmp_path: Path, url: str) -> None:
    assert url_of(tmp_path, url=url) == url
