"""Tokens over the wire: made, listed and revoked by callers, and in force on every replica."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from support.live_service import LiveService, live_service
from support.lossy_proxy import lossy_proxy
from support.raw_service import RawService, refusal
from support.tokens import ASKED_FOR, create_token, wait_until_told
from xmirad.access.caller import Scope
from xmirad.api.v1 import access_service_pb2 as pb
from xmirad.client import Client, Credentials
from xmirad.client.aio import AioClient
from xmirad.errors import AccessDeniedError, InvalidRequestError, TokenNotFoundError

LIMITED = (Scope.ADMIN, Scope.READ, Scope.EXPLAIN)


@dataclass(slots=True)
class Locked:
    """Two services that share a catalog, and tokens of two sites."""

    services: list[LiveService]
    local: Credentials
    north: Credentials
    clients: ExitStack = field(default_factory=ExitStack)

    def client(self, credentials: Credentials, *, replica: int = 0) -> Client:
        return self.clients.enter_context(Client(self.services[replica].address, credentials=credentials))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("access")
    homes: list[Path] = [folder / "one", folder / "two"]
    local, north = (
        Credentials(token=create_token(homes[0], name="admin", scopes=LIMITED, site=site))
        for site in ("local", "north")
    )
    shared = {**ASKED_FOR, "XMIRAD_CATALOG__URL": f"sqlite:///{homes[0] / 'catalog.db'}"}
    with ExitStack() as stack:
        services = [stack.enter_context(live_service(home, **shared)) for home in homes]
        for service in services:
            service.credentials = local
            service.start().close()
        yield Locked(services, local, north)


@pytest.fixture
def locked(running: Locked) -> Iterator[Locked]:
    yield running
    running.clients.close()


@pytest.fixture
def admin(locked: Locked) -> Client:
    return locked.client(locked.local)


def test_a_token_is_in_force_and_revoked_on_every_replica_within_seconds(locked: Locked, admin: Client) -> None:
    made = admin.create_token("viewer", ["read"])
    assert (made.token.name, made.token.scopes, made.token.site) == ("viewer", frozenset({"read"}), "local")
    assert made.token.expire_time is None
    viewers = [locked.client(Credentials(token=made.secret), replica=replica) for replica in (0, 1)]
    for viewer in viewers:
        wait_until_told(viewer, accepted=True)
        with pytest.raises(AccessDeniedError):
            viewer.create_archive("mine")
    assert made.token in list(admin.list_tokens())

    admin.revoke_token("viewer")

    for viewer in viewers:
        wait_until_told(viewer, accepted=False)
    assert "viewer" not in [token.name for token in admin.list_tokens()]
    with pytest.raises(TokenNotFoundError):
        admin.revoke_token("viewer")


def test_nobody_gives_more_than_is_their_own(admin: Client) -> None:
    with pytest.raises(AccessDeniedError) as caught:
        admin.create_token("spy", ["read", "identity"])
    assert "identity" in caught.value.metadata["scope"]
    assert "spy" not in [token.name for token in admin.list_tokens()]


def test_tokens_of_another_site_are_not_there(locked: Locked, admin: Client) -> None:
    north = locked.client(locked.north)
    made = north.create_token("northern", ["read"])
    assert made.token.site == "north"
    assert [token.name for token in north.list_tokens()] == ["admin", "northern"]
    assert "northern" not in [token.name for token in admin.list_tokens()]
    with pytest.raises(TokenNotFoundError):
        admin.revoke_token("northern")
    admin.create_token("northern", ["read"])  # a name is free in every site, and tells nothing of the others


async def test_the_asynchronous_client_makes_lists_and_revokes(locked: Locked) -> None:
    expiry = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    async with AioClient(locked.services[0].address, credentials=locked.local) as client:
        made = await client.create_token("hourly", ["read"], expire_time=expiry)
        assert made.token.expire_time == expiry
        assert "hourly" in [token.name async for token in client.list_tokens()]
        await client.revoke_token("hourly")
        with pytest.raises(TokenNotFoundError):
            await client.revoke_token("hourly")


def test_what_is_not_allowed_is_named_by_its_field(admin: Client) -> None:
    admin.create_token("taken", ["read"])
    past = datetime(2020, 1, 1, tzinfo=UTC)
    for name, scopes, expiry, field_name in (
        ("taken", ["read"], None, "token_id"),
        ("a b", ["read"], None, "token_id"),
        ("new", [], None, "scopes"),
        ("new", ["everything"], None, "scopes"),
        ("new", ["read"], past, "expire_time"),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            admin.create_token(name, scopes, expire_time=expiry)
        assert caught.value.field == field_name
    with pytest.raises(InvalidRequestError) as caught:
        admin.revoke_token("a b")
    assert caught.value.field == "name"


def test_a_replay_does_not_tell_the_secret_again_and_says_so(locked: Locked, admin: Client) -> None:
    with lossy_proxy(locked.services[0].address) as proxy:
        proxy.lose("CreateToken")
        behind = Client(proxy.address, credentials=locked.local)
        made = behind.create_token("lost", ["read"])
        assert (made.token.name, made.secret) == ("lost", "")
        proxy.lose("RevokeToken")
        behind.revoke_token("lost")
        behind.close()
    assert proxy.lost == ["CreateToken", "RevokeToken"]
    assert "lost" not in [token.name for token in admin.list_tokens()]


def test_pages_of_tokens_follow_each_other(locked: Locked, admin: Client) -> None:
    for number in range(3):
        admin.create_token(f"page-{number}", ["read"])
    metadata = (("authorization", f"Bearer {locked.local.token}"),)
    with RawService(locked.services[0].address) as raw:
        names, token = [], "page-"
        while True:
            request = pb.ListTokensRequest(page_size=2, page_token=token)
            page = raw.access.ListTokens(request, metadata=metadata)
            names += [each.name for each in page.tokens]
            token = page.next_page_token
            if not token:
                break
        assert names[:3] == [f"tokens/page-{number}" for number in range(3)]
        chosen = pb.CreateTokenRequest(token_id="of-nobody", scopes=["read"], request_id=str(uuid4()))
        error = refusal(lambda request, timeout: raw.access.CreateToken(request, timeout=timeout), chosen).domain_error
        assert error.reason == "TOKEN_MISSING"
