"""From a call's bearer token to its caller."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from xmirad.access.caller import Caller
from xmirad.access.checking import asks_for_tokens
from xmirad.access.tokens import CatalogTokens
from xmirad.catalog.database import Database
from xmirad.errors import UnauthenticatedError
from xmirad.settings_security import SecuritySettings

SCHEME = "bearer"
REFUSED = "this service needs a bearer token in `authorization`; there is none, or it is expired or not accepted here"


class Tokens(Protocol):
    """Tokens of one kind."""

    def caller_of(self, token: str) -> Caller | None:
        """Return whom a token stands for, or None."""


class Authenticator:
    """Finds out who calls. Belongs to one thread."""

    def __init__(self, kinds: Sequence[Tokens]) -> None:
        """Accept tokens of these kinds."""
        self._kinds = kinds

    def caller_of(self, authorization: str) -> Caller:
        """Return the caller of a call with this `authorization` metadata.

        Raises:
            UnauthenticatedError: If it is missing or not accepted; the message never says which.
            BackendUnavailableError: If it cannot be checked now.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == SCHEME and token:
            for kind in self._kinds:
                if (caller := kind.caller_of(token)) is not None:
                    return caller
        raise UnauthenticatedError(REFUSED)


@contextmanager
def authenticating(security: SecuritySettings, database: Database) -> Iterator[Authenticator | None]:
    """Yield what the settings ask for, or None where no token is needed; tokens are read for the length of the block.

    Raises:
        InvalidRequestError: If the provider's key cannot be used.
        BackendUnavailableError: If the tokens cannot be read.
    """
    if not asks_for_tokens(security):
        yield None
        return
    with ExitStack() as stack:
        kinds: list[Tokens] = []
        if security.tokens:
            kept = CatalogTokens(database)
            kept.start()
            stack.callback(kept.close)
            kinds.append(kept)
        if security.jwt_key_file is not None:
            from xmirad.access.web_tokens import Provider, WebTokens

            provider = Provider(
                security.jwt_key_file, security.jwt_issuer, security.jwt_audience, security.jwt_algorithm.value
            )
            kinds.append(WebTokens(provider))
        yield Authenticator(kinds)
