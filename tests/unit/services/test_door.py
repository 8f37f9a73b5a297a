"""The door without a server: who is let in, in which order, and what is counted."""

from dataclasses import dataclass
from typing import Any, cast

import grpc
import pytest

from support.doors import open_door
from xmirad.access.authentication import Authenticator
from xmirad.access.caller import Caller, Scope
from xmirad.access.quotas import Quota, Quotas
from xmirad.api.v1 import archive_service_pb2, resources_pb2
from xmirad.errors import AccessDeniedError, QuotaExceededError, UnauthenticatedError
from xmirad_services.retrieval.door import Door, check_request, current_account, current_caller

SEARCH = "xmirad.v1.RetrievalService/Search"
DELETE = "xmirad.v1.ArchiveService/DeleteArchive"
READER = Caller("reader", "north", frozenset({Scope.READ}))


class OneToken:
    """Accepts the token `right`."""

    def caller_of(self, token: str) -> Caller | None:
        return READER if token == "right" else None


@dataclass(frozen=True, slots=True)
class FakeContext:
    """Where a call comes from, and what it carries."""

    metadata: tuple[tuple[str, str], ...] = ()
    address: str = "ipv4:10.0.0.9:1234"

    def peer(self) -> str:
        return self.address

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.metadata


def context(**values: Any) -> grpc.aio.ServicerContext[Any, Any]:  # noqa: ANN401
    return cast("grpc.aio.ServicerContext[Any, Any]", FakeContext(**values))


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture
def door() -> Door:
    quota = Quota(calls_per_second=0.001, burst_calls=3, concurrent_calls=2)
    return Door(Authenticator([OneToken()]), Quotas(quota), site="local")


def test_the_caller_and_its_site_are_the_tokens(door: Door) -> None:
    with door.admitted(SEARCH, context(metadata=bearer("right"))):
        assert current_caller() == READER


@pytest.mark.parametrize("metadata", [(), bearer("wrong"), (*bearer("right"), *bearer("right"))], ids=str)
def test_without_one_good_token_nobody_comes_in(door: Door, metadata: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(UnauthenticatedError), door.admitted(SEARCH, context(metadata=metadata)):
        pass


def test_whoever_reaches_the_homes_socket_is_its_owner_and_has_no_quota(door: Door) -> None:
    for _ in range(10):
        with door.admitted(DELETE, context(address="unix:")):
            assert current_caller() == Caller("", "local", frozenset(Scope))


def test_where_no_token_is_asked_for_everyone_is_the_owner_whatever_is_shown() -> None:
    with open_door("south").admitted(DELETE, context(metadata=bearer("wrong"))):
        assert current_caller().site == "south"


def test_decoding_is_charged_to_the_tokens_owner_whatever_the_connection(door: Door) -> None:
    accounts = set()
    for address in ("ipv4:10.0.0.9:1", "ipv4:10.0.0.9:2"):
        with door.admitted(SEARCH, context(metadata=bearer("right"), address=address)):
            accounts.add(current_account())
    assert accounts == {f"{READER.site}|{READER.name}"}


def test_decoding_is_charged_to_the_connection_where_no_token_is_asked_for() -> None:
    door, accounts = open_door("south"), set()
    for address in ("ipv4:10.0.0.9:1", "ipv4:10.0.0.9:2"):
        with door.admitted(SEARCH, context(address=address)):
            accounts.add(current_account())
    assert len(accounts) == 2


def test_a_denied_call_counts_too_so_that_nobody_can_try_for_ever(door: Door) -> None:
    for _ in range(3):
        with pytest.raises(AccessDeniedError), door.admitted(DELETE, context(metadata=bearer("right"))):
            pass
    with pytest.raises(QuotaExceededError), door.admitted(SEARCH, context(metadata=bearer("right"))):
        pass


def test_a_request_is_held_to_the_scopes_of_its_caller(door: Door) -> None:
    with door.admitted(SEARCH, context(metadata=bearer("right"))):
        check_request(archive_service_pb2.GetItemRequest())
        with pytest.raises(AccessDeniedError, match="embedding identity"):
            check_request(archive_service_pb2.GetItemRequest(view=resources_pb2.ITEM_VIEW_EMBEDDING))
