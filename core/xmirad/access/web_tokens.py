"""JSON Web Tokens of an identity provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from jwt.exceptions import InvalidKeyError, PyJWTError

from xmirad.access.caller import Caller, Scope, is_site
from xmirad.errors import InvalidRequestError
from xmirad.secret_files import read_file

KEY_SETTING = "security.jwt_key_file"
LEEWAY_SECONDS = 60.0
"""How far the clocks of provider and service may differ."""
REQUIRED = ("exp", "iss", "aud", "sub")
MAX_NAME = 256


@dataclass(frozen=True, slots=True)
class Provider:
    """The identity provider whose tokens are accepted.

    Attributes:
        key_file: Its public key (PEM).
        issuer: Its `iss`.
        audience: The `aud` that stands for this service.
        algorithm: The one algorithm that it signs by.
    """

    key_file: Path
    issuer: str
    audience: str
    algorithm: str


class WebTokens:
    """Accepts the tokens of one provider. The token's own header never chooses the algorithm."""

    def __init__(self, provider: Provider) -> None:
        """Read the key.

        Raises:
            InvalidRequestError: If the key cannot be read, or is none of the algorithm.
        """
        self._provider = provider
        pem = read_file(provider.key_file, setting=KEY_SETTING)
        message = f"{KEY_SETTING}: {provider.key_file} is no public key (PEM) for {provider.algorithm}"
        if b"PRIVATE KEY" in pem:
            raise InvalidRequestError(f"{message}: a private key stays with the provider", field=KEY_SETTING)
        try:
            self._key: Any = jwt.get_algorithm_by_name(provider.algorithm).prepare_key(pem)
        except (InvalidKeyError, ValueError, TypeError, NotImplementedError) as error:
            raise InvalidRequestError(message, field=KEY_SETTING) from error

    def caller_of(self, token: str) -> Caller | None:
        """Return whom a token stands for, or None if it is none, is expired, or is not for this service."""
        provider = self._provider
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[provider.algorithm],
                audience=provider.audience,
                issuer=provider.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED)},
            )
        except PyJWTError:
            return None
        return _caller(claims)


def _caller(claims: Mapping[str, Any]) -> Caller | None:
    """Return the caller of checked claims; the site comes from nowhere else, so without one there is no caller."""
    name, site, scope = claims["sub"], claims.get("site"), claims.get("scope", "")
    if not isinstance(name, str) or not isinstance(site, str) or not isinstance(scope, str):
        return None
    if not 0 < len(name) <= MAX_NAME or not is_site(site):
        return None
    words = scope.split()
    return Caller(name, site, frozenset(known for known in Scope if known in words))
