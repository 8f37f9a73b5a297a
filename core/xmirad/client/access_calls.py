"""The calls of the client that are about tokens."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import uuid4

from google.protobuf.timestamp_pb2 import Timestamp

from xmirad.api.limits import MAX_PAGE_SIZE
from xmirad.api.v1 import access_service_pb2 as pb
from xmirad.client import parsing
from xmirad.client.access_types import NewToken, Token
from xmirad.client.calls import Call, Page, call, nothing
from xmirad.ids import token_name


def create_token(name: str, scopes: Iterable[str], *, expire_time: datetime | None) -> Call[NewToken]:
    """Ask for a token to be made."""
    request = pb.CreateTokenRequest(token_id=name, scopes=scopes, request_id=uuid4().hex)
    if expire_time is not None:
        expiry = Timestamp()
        expiry.FromDatetime(expire_time.astimezone(UTC))
        request.expire_time.CopyFrom(expiry)
    return call(
        lambda stubs: stubs.access.CreateToken, request, lambda answer: NewToken(_token(answer.token), answer.secret)
    )


def list_tokens(page_token: str) -> Call[Page[Token]]:
    """Ask for a page of tokens."""
    return call(
        lambda stubs: stubs.access.ListTokens,
        pb.ListTokensRequest(page_size=MAX_PAGE_SIZE, page_token=page_token),
        lambda answer: Page(map(_token, answer.tokens), answer.next_page_token),
    )


def revoke_token(name: str) -> Call[None]:
    """Ask for a token to be revoked."""
    request = pb.RevokeTokenRequest(name=token_name(name), request_id=uuid4().hex)
    return call(lambda stubs: stubs.access.RevokeToken, request, nothing)


def _token(message: pb.Token) -> Token:
    return Token(
        name=message.name.removeprefix("tokens/"),
        scopes=frozenset(message.scopes),
        site=message.site,
        create_time=parsing.time(message.create_time) if message.HasField("create_time") else None,
        expire_time=parsing.time(message.expire_time) if message.HasField("expire_time") else None,
    )
