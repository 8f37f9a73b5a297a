"""Redis and Qdrant with passwords and TLS: what is right works, and what is wrong is said as such."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from kombu.connection import Connection

from support.certificates import Authority
from support.live_service import free_port, live_service
from support.qdrant_server import QdrantServer
from xmirad.composition import archive_store
from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.queue.address import queue_url
from xmirad.queue.connection import available, connect
from xmirad.settings import Settings
from xmirad.settings_sources import load_settings

PASSWORD = "planted-p@ss/word"
START_SECONDS = 10.0
REDIS = shutil.which("redis-server")


def secret(folder: Path, name: str, content: str) -> Path:
    file = folder / name
    file.write_text(content)
    file.chmod(0o600)
    return file


@dataclass(frozen=True, slots=True)
class Secured:
    """A server with a password, over plain TCP and over TLS."""

    port: int
    tls_port: int
    authority: Authority
    folder: Path

    def settings(self, *, tls: bool = False, password: str = PASSWORD, ca: Path | None = None) -> Settings:
        queue: dict[str, object] = {"password_file": secret(self.folder, "password", password)}
        queue["url"] = f"rediss://localhost:{self.tls_port}/0" if tls else f"redis://localhost:{self.port}/0"
        if tls:
            queue["ca_file"] = ca or self.authority.file
        return load_settings({"home": self.folder / "home", "queue": queue})


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    if REDIS is None:
        pytest.skip("there is no redis-server")
    folder = tmp_path_factory.mktemp("redis")
    authority = Authority(folder, "authority")
    signed = authority.sign("redis")
    port, tls_port = free_port(), free_port()
    options = {
        "port": port,
        "tls-port": tls_port,
        "tls-cert-file": signed.certificate,
        "tls-key-file": signed.key,
        "tls-ca-cert-file": authority.file,
        "tls-auth-clients": "no",
        "requirepass": PASSWORD,
        "bind": "127.0.0.1",
        "save": "",
        "dir": folder,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    server = subprocess.Popen([REDIS, *words], stdout=subprocess.DEVNULL)
    made = Secured(port, tls_port, authority, folder)
    try:
        _wait_for(made)
        yield made
    finally:
        server.kill()
        server.wait()


def _wait_for(secured: Secured) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            ping(secured.settings())
        except BackendUnavailableError:
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.05)
        else:
            return


def ping(settings: Settings) -> None:
    url = queue_url(settings)
    assert url is not None
    with available():
        connect(url).ping()


def publish(settings: Settings) -> None:
    """Connect as Celery does."""
    url = queue_url(settings)
    assert url is not None
    options = {"socket_timeout": 5.0, "socket_connect_timeout": 5.0}
    with available(), Connection(url, transport_options=options) as connection:
        connection.ensure_connection(max_retries=1, timeout=10)
        connection.default_channel.client.ping()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_password_and_certificates_of_the_settings_reach_redis_and_celery(secured: Secured, tls: bool) -> None:
    ping(secured.settings(tls=tls))
    publish(secured.settings(tls=tls))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_wrong_password_is_called_that(secured: Secured, tls: bool) -> None:
    for connecting in (ping, publish):
        with pytest.raises(BackendUnavailableError, match="refuses the password") as caught:
            connecting(secured.settings(tls=tls, password="wrong-secret"))
        assert caught.value.metadata == {"backend": "queue", "cause": "CREDENTIALS_REFUSED"}
        assert "wrong-secret" not in str(caught.value)


def test_a_missing_password_is_called_that_too(secured: Secured) -> None:
    settings = load_settings({"home": secured.folder, "queue": {"url": f"redis://localhost:{secured.port}/0"}})
    with pytest.raises(BackendUnavailableError, match="refuses the password"):
        ping(settings)


def test_a_server_that_another_authority_signed_is_not_trusted(secured: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    for connecting in (ping, publish):
        with pytest.raises(BackendUnavailableError, match="not trusted") as caught:
            connecting(secured.settings(tls=True, ca=other.file))
        assert caught.value.metadata["cause"] == "CERTIFICATE_REFUSED"


def test_the_service_says_in_its_log_that_the_password_is_wrong_and_not_what_it_is(
    secured: Secured, tmp_path: Path
) -> None:
    environment = {
        "XMIRAD_QUEUE__URL": f"redis://localhost:{secured.port}/0",
        "XMIRAD_QUEUE__PASSWORD_FILE": str(secret(tmp_path, "wrong", "wrong-secret")),
        "XMIRAD_LOGGING__FORMAT": "json",
    }
    with live_service(tmp_path / "home", **environment) as service, service.start() as client:
        assert client.server_info().version  # everything but explanations is served
        deadline = time.monotonic() + START_SECONDS
        while "CREDENTIALS_REFUSED" not in service.log.read_text():
            assert time.monotonic() < deadline, service.log.read_text()
            time.sleep(0.1)
        assert "wrong-secret" not in service.log.read_text()


def store_settings(folder: Path, url: str, **store: object) -> Settings:
    return load_settings({"home": folder, "store": {"kind": "qdrant", "url": url, **store}})


def test_the_vector_store_is_reached_by_key_and_certificate_from_files(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path, "authority"), Authority(tmp_path, "other")
    signed = authority.sign("qdrant")
    credentials = grpc.ssl_server_credentials([(signed.key.read_bytes(), signed.certificate.read_bytes())])
    key, wrong = secret(tmp_path, "key", PASSWORD), secret(tmp_path, "wrong", "wrong-secret")
    with QdrantServer(api_key=PASSWORD, credentials=credentials) as server:
        archive_store(store_settings(tmp_path, server.url, api_key_file=key, ca_file=authority.file)).ping()

        refused = archive_store(store_settings(tmp_path, server.url, api_key_file=wrong, ca_file=authority.file))
        with pytest.raises(BackendUnavailableError, match="refuses the service's credentials") as caught:
            refused.ping()
        assert caught.value.metadata["cause"] == "CREDENTIALS_REFUSED"
        assert "wrong-secret" not in str(caught.value)

        strange = archive_store(store_settings(tmp_path, server.url, api_key_file=key, ca_file=other.file))
        with pytest.raises(BackendUnavailableError, match="not trusted") as caught:
            strange.ping()
        assert caught.value.metadata["cause"] == "CERTIFICATE_REFUSED"


def test_contradicting_settings_of_the_vector_store_are_refused(tmp_path: Path) -> None:
    key = secret(tmp_path, "key", PASSWORD)
    with pytest.raises(InvalidRequestError, match="exclude each other"):
        archive_store(store_settings(tmp_path, "http://localhost:1", api_key_file=key, api_key="x"))
    with pytest.raises(InvalidRequestError, match="https://"):
        archive_store(store_settings(tmp_path, "http://localhost:1", ca_file=key))
