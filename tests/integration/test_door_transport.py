"""TLS, mutual TLS, quotas and starting: the door as clients and operators meet it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest

from support.certificates import Authority, Signed
from support.command import arguments, environment
from support.live_service import LiveService, free_port, live_service
from support.raw_service import refusal
from support.tokens import ASKED_FOR, create_token, revoke_token, wait_until_told
from support.web import wait_for
from xmirad.access.caller import Scope
from xmirad.api.v1 import server_service_pb2
from xmirad.api.v1.server_service_pb2_grpc import ServerServiceStub
from xmirad.client import Client, Credentials
from xmirad.client.aio import AioClient
from xmirad.errors import BackendUnavailableError, QuotaExceededError, UnauthenticatedError, XmiradError
from xmirad.home import Home
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.exits import EXIT_NOT_RESTARTABLE

COMMAND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Locked:
    """A service with mutual TLS and tokens."""

    service: LiveService
    credentials: Credentials
    stranger: Signed
    wrong_ca: Path
    folder: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("tls")
    authority, other = Authority(folder, "authority"), Authority(folder, "other")
    server, client = authority.sign("server"), authority.sign("client")
    token_file = folder / "token"
    token_file.write_text(create_token(folder / "home", name="all", scopes=list(Scope), site="local"))
    token_file.chmod(0o600)
    security = {
        "XMIRAD_SECURITY__TLS_CERTIFICATE_FILE": str(server.certificate),
        "XMIRAD_SECURITY__TLS_KEY_FILE": str(server.key),
        "XMIRAD_SECURITY__CLIENT_CA_FILE": str(authority.file),
        **ASKED_FOR,
    }
    credentials = Credentials(
        token_file=token_file, ca_file=authority.file, certificate_file=client.certificate, key_file=client.key
    )
    with live_service(folder / "home", **security) as service:
        service.credentials = credentials
        with service.start():
            wait_for(lambda: find_service(Home(service.home)) is not None, seconds=20.0)
            yield Locked(service, credentials, other.sign("stranger"), other.file, folder, security)


def test_a_client_with_certificate_and_token_is_served(locked: Locked) -> None:
    with Client(locked.service.address, credentials=locked.credentials) as client:
        assert client.server_info().version


async def test_the_asynchronous_client_is_served_alike(locked: Locked) -> None:
    async with AioClient(locked.service.address, credentials=locked.credentials) as client:
        assert (await client.server_info()).version
    async with AioClient(locked.service.address, credentials=replace(locked.credentials, token_file=None)) as client:
        with pytest.raises(UnauthenticatedError):
            await client.server_info()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("wrong authority", "is not trusted"),
        ("no certificate", "client's certificate"),
        ("a stranger's certificate", "client's certificate"),
        ("no TLS", "may ask for TLS"),
    ],
)
def test_whoever_does_not_fit_gets_no_connection_and_a_hint(locked: Locked, wrong: str, said: str) -> None:
    credentials = {
        "wrong authority": replace(locked.credentials, ca_file=locked.wrong_ca),
        "no certificate": replace(locked.credentials, certificate_file=None, key_file=None),
        "a stranger's certificate": replace(
            locked.credentials, certificate_file=locked.stranger.certificate, key_file=locked.stranger.key
        ),
        "no TLS": Credentials(token_file=locked.credentials.token_file),
    }[wrong]
    begin = time.monotonic()
    with (
        Client(locked.service.address, credentials=credentials, timeout_seconds=15) as client,
        pytest.raises(BackendUnavailableError, match=said),
    ):
        client.server_info()
    assert time.monotonic() - begin < 10


def test_a_certificate_alone_is_no_token(locked: Locked) -> None:
    credentials = replace(locked.credentials, token_file=None)
    with Client(locked.service.address, credentials=credentials) as client, pytest.raises(UnauthenticatedError):
        client.server_info()


def test_a_revoked_token_is_refused_within_seconds_of_a_running_service(locked: Locked) -> None:
    token = create_token(locked.service.home, name="short", scopes=[Scope.READ], site="local")
    credentials = replace(locked.credentials, token_file=None, token=token)
    with Client(locked.service.address, credentials=credentials) as client:
        wait_until_told(client, accepted=True)
        revoke_token(locked.service.home, name="short")
        wait_until_told(client, accepted=False)


def test_the_owner_of_the_home_needs_neither_token_nor_certificate(locked: Locked) -> None:
    service = find_service(Home(locked.service.home))
    assert service is not None
    assert service.reachable_at.startswith("unix:")
    with Client(service.reachable_at) as client:
        assert client.server_info().boot_id == service.boot_id
    listed = command(locked.service.home, "archive", "list", "--json", **locked.environment)
    assert json.loads(listed.stdout) == []


def test_others_cannot_reach_the_owners_socket(locked: Locked) -> None:
    service = find_service(Home(locked.service.home))
    assert service is not None
    socket = Path(service.reachable_at.removeprefix("unix:"))
    folders = {socket.parent, locked.service.home}
    assert any(folder.stat().st_mode & 0o077 == 0 for folder in folders)


def test_the_command_line_shows_what_the_client_settings_name(locked: Locked) -> None:
    credentials = locked.credentials
    settings = {
        "XMIRAD_CLIENT__TOKEN_FILE": str(credentials.token_file),
        "XMIRAD_CLIENT__CA_FILE": str(credentials.ca_file),
        "XMIRAD_CLIENT__CERTIFICATE_FILE": str(credentials.certificate_file),
        "XMIRAD_CLIENT__KEY_FILE": str(credentials.key_file),
    }
    elsewhere = locked.folder / "elsewhere"
    listed = command(elsewhere, "--address", locked.service.address, "archive", "list", "--json", **settings)
    assert json.loads(listed.stdout) == []
    del settings["XMIRAD_CLIENT__TOKEN_FILE"]
    refused = command(elsewhere, "--address", locked.service.address, "archive", "list", **settings)
    assert refused.returncode == 1
    assert "TOKEN_MISSING" in refused.stderr


def test_a_private_service_of_a_command_works_behind_the_same_locks(locked: Locked, tmp_path: Path) -> None:
    listed = command(tmp_path / "home", "archive", "list", "--json", **locked.environment)
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout) == []


def test_a_caller_beyond_its_quota_is_told_when_to_come_back(tmp_path: Path) -> None:
    home, read = tmp_path / "home", [Scope.READ]
    greedy, modest = (create_token(home, name=name, scopes=read, site="local") for name in ("greedy", "modest"))
    quota = {
        **ASKED_FOR,
        "XMIRAD_SECURITY__CALLS_PER_SECOND": "0.2",
        "XMIRAD_SECURITY__BURST_CALLS": "4",
    }
    with live_service(tmp_path / "home", **quota) as service:
        service.credentials = Credentials(token=modest)
        with service.start(), Client(service.address, credentials=Credentials(token=greedy)) as client:
            ends = [ended(client.server_info) for _ in range(6)]
            assert [type(end) for end in ends] == [type(None)] * 4 + [QuotaExceededError] * 2
            assert ends[-1] is not None
            assert 3 < (ends[-1].retry_delay_seconds or 0) <= 5
            with grpc.insecure_channel(service.address) as channel:
                refused = refusal(
                    lambda request, timeout: ServerServiceStub(channel).GetServerInfo(
                        request, timeout=timeout, metadata=(("authorization", f"Bearer {greedy}"),)
                    ),
                    server_service_pb2.GetServerInfoRequest(),
                )
            assert "RetryInfo" in refused.details
            with Client(service.address, credentials=Credentials(token=modest)) as other:
                assert other.server_info().version


def test_a_service_that_strangers_could_reach_does_not_start(tmp_path: Path) -> None:
    address = f"0.0.0.0:{free_port()}"
    said = refused_start(tmp_path / "home", XMIRAD_SERVER__ADDRESS=address)
    assert "security.tokens" in said
    assert len(said.splitlines()) == 1


def command(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments(home, *words),
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def ended(ask: Callable[[], object]) -> XmiradError | None:
    try:
        ask()
    except XmiradError as error:
        return error
    return None


def refused_start(home: Path, **settings: str) -> str:
    """Start a service that must not start, and return the line for the operator."""
    finished = subprocess.run(
        [sys.executable, "-m", "xmirad_services.retrieval"],
        env=environment(XMIRAD_HOME=str(home), **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert finished.returncode == EXIT_NOT_RESTARTABLE
    return "\n".join(line for line in finished.stderr.splitlines() if line.startswith("xmirad:"))
