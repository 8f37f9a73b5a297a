"""The methods of the synchronous client that are about tokens."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from xmirad.client import access_calls
from xmirad.client.access_types import NewToken, Token
from xmirad.client.connection import Connection


class AccessMethods:
    """Tokens over a connection."""

    _connection: Connection

    def create_token(self, name: str, scopes: Iterable[str], *, expire_time: datetime | None = None) -> NewToken:
        """Make a token of the caller's own site, which allows no more than the caller's own.

        Args:
            name: Whose it is to be.
            scopes: What it is to allow: `read`, `explain`, `evaluate`, `identity`, `embedding`, `admin`.
            expire_time: From when it is not to be accepted any more; None for never.

        Raises:
            AccessDeniedError: If the caller's own token allows less.
            InvalidRequestError: If a token of that name is there, or a value is not allowed.
        """
        return self._connection.run(access_calls.create_token(name, scopes, expire_time=expire_time))

    def list_tokens(self) -> Iterator[Token]:
        """Yield the tokens of the caller's site by name, revoked ones left out."""
        return self._connection.entries(access_calls.list_tokens)

    def revoke_token(self, name: str) -> None:
        """Revoke a token for good; within 5 s no replica accepts it.

        Raises:
            TokenNotFoundError: If there is none of that name in force.
        """
        self._connection.run(access_calls.revoke_token(name))
