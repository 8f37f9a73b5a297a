"""From a call's bearer token to its caller."""

from collections.abc import Sequence
from typing import Protocol

from xmirad.access.caller import Caller
from xmirad.access.checking import asks_for_tokens
from xmirad.access.static_tokens import StaticTokens
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
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == SCHEME and token:
            for kind in self._kinds:
                if (caller := kind.caller_of(token)) is not None:
                    return caller
        raise UnauthenticatedError(REFUSED)


def authenticator(security: SecuritySettings) -> Authenticator | None:
    """Return what the settings ask for, or None where no token is needed.

    Raises:
        InvalidRequestError: If the keys file or the provider's key cannot be used.
    """
    if not asks_for_tokens(security):
        return None
    kinds: list[Tokens] = []
    if security.keys_file is not None:
        kinds.append(StaticTokens(security.keys_file))
    if security.jwt_key_file is not None:
        from xmirad.access.web_tokens import Provider, WebTokens

        provider = Provider(
            security.jwt_key_file, security.jwt_issuer, security.jwt_audience, security.jwt_algorithm.value
        )
        kinds.append(WebTokens(provider))
    return Authenticator(kinds)
