"""An identity provider for tests."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from support.certificates import private_pem, public_pem
from xmirad.access.web_tokens import Provider

ISSUER = "https://identity.test"
AUDIENCE = "xmirad"


class IdentityProvider:
    """Signs tokens by ES256."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.key_file = folder / "provider.pem"
        self.key_file.write_bytes(public_pem(self._key))

    @property
    def described(self) -> Provider:
        return Provider(self.key_file, ISSUER, AUDIENCE, "ES256")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "XMIRAD_SECURITY__JWT_KEY_FILE": str(self.key_file),
            "XMIRAD_SECURITY__JWT_ISSUER": ISSUER,
            "XMIRAD_SECURITY__JWT_AUDIENCE": AUDIENCE,
            "XMIRAD_SECURITY__JWT_ALGORITHM": "ES256",
        }

    def token(self, scope: str = "read", **claims: object) -> str:
        """Return a token; a claim of None is left out."""
        return jwt.encode(claims_of(scope, claims), private_pem(self._key), algorithm="ES256")

    def forged(self, scope: str = "read") -> str:
        """Return a token that somebody else has signed."""
        other = ec.generate_private_key(ec.SECP256R1())
        return jwt.encode(claims_of(scope, {}), private_pem(other), algorithm="ES256")

    def confused(self, scope: str = "read") -> str:
        """Return a token signed by HS256 with the public key, which everybody knows, as the secret."""
        return _signed_with_public_key(claims_of(scope, {}), self.key_file.read_bytes())


def unsigned(scope: str = "read") -> str:
    """Return a token of the algorithm `none`."""
    return jwt.encode(claims_of(scope, {}), "", algorithm="none")


def claims_of(scope: str, changed: Mapping[str, object]) -> dict[str, object]:
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "viewer",
        "exp": time.time() + 600,
        "site": "local",
        "scope": scope,
        **changed,
    }
    return {name: value for name, value in claims.items() if value is not None}


def _signed_with_public_key(claims: Mapping[str, object], pem: bytes) -> str:
    """Sign as PyJWT refuses to."""
    parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.digest(pem, ".".join(parts).encode(), hashlib.sha256)
    return ".".join([*parts, _encoded(signature)])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
