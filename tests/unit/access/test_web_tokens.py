"""JSON Web Tokens: which are accepted, and what they stand for."""

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.certificates import private_pem
from support.web_tokens import IdentityProvider, unsigned
from xmirad.access.caller import Caller, Scope
from xmirad.access.web_tokens import LEEWAY_SECONDS, Provider, WebTokens
from xmirad.errors import InvalidRequestError


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> IdentityProvider:
    return IdentityProvider(tmp_path_factory.mktemp("provider"))


@pytest.fixture
def tokens(provider: IdentityProvider) -> WebTokens:
    return WebTokens(provider.described)


def test_scopes_and_site_come_from_the_claims(provider: IdentityProvider, tokens: WebTokens) -> None:
    token = provider.token("openid read explain", site="north", sub="u1")
    assert tokens.caller_of(token) == Caller("u1", "north", frozenset({Scope.READ, Scope.EXPLAIN}))


def test_a_token_without_scopes_allows_nothing(provider: IdentityProvider, tokens: WebTokens) -> None:
    caller = tokens.caller_of(provider.token(scope="", site="north"))
    assert caller is not None
    assert caller.scopes == frozenset()


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1.0},
        {"exp": None},
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://another.test"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"site": None},
        {"site": ""},
        {"site": 7},
        {"site": "s" * 65},
        {"site": "a\nb"},
        {"site": "a\x1b[2J"},
        {"site": "a\x00"},
        {"scope": ["read"]},
        {"nbf": 4e9},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_stands_for_nobody(
    provider: IdentityProvider, tokens: WebTokens, claims: dict[str, object]
) -> None:
    assert tokens.caller_of(provider.token(**{"scope": "read", **claims})) is None  # type: ignore[arg-type]


def test_clocks_may_differ_by_a_minute(provider: IdentityProvider, tokens: WebTokens) -> None:
    assert tokens.caller_of(provider.token(exp=time.time() - LEEWAY_SECONDS + 20)) is not None
    assert tokens.caller_of(provider.token(exp=time.time() - LEEWAY_SECONDS - 20)) is None


def test_the_token_never_chooses_the_algorithm(provider: IdentityProvider, tokens: WebTokens) -> None:
    for token in (unsigned(), provider.confused(), provider.forged()):
        assert tokens.caller_of(token) is None
    other = WebTokens(Provider(provider.key_file, "i", "a", "ES256"))
    assert other.caller_of(provider.token()) is None


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "....", "é.é.é", "eyJ9.e30."])
def test_what_is_no_token_stands_for_nobody(tokens: WebTokens, token: str) -> None:
    assert tokens.caller_of(token) is None


def test_a_key_of_another_kind_or_a_private_one_is_refused(provider: IdentityProvider, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"security\.jwt_key_file.*RS256"):
        WebTokens(Provider(provider.key_file, "i", "a", "RS256"))
    private = tmp_path / "private.pem"
    private.write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(InvalidRequestError, match="stays with the provider"):
        WebTokens(Provider(private, "i", "a", "ES256"))
    private.write_text("no key")
    with pytest.raises(InvalidRequestError, match="no public key"):
        WebTokens(Provider(private, "i", "a", "ES256"))
