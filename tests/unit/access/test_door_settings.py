"""Whether the settings of the door fit each other."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.certificates import Authority
from xmirad.access.checking import check_security
from xmirad.errors import InvalidRequestError
from xmirad.settings import Settings
from xmirad.settings_sources import load_settings


def settings(tmp_path: Path, **groups: dict[str, object]) -> Settings:
    return load_settings({"home": tmp_path, **groups})


@pytest.mark.parametrize("address", ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.9.1:1"])
def test_loopback_needs_no_lock(tmp_path: Path, address: str) -> None:
    check_security(settings(tmp_path, server={"address": address}))


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.evil.test:1", "localhost.test:1"])
def test_beyond_this_machine_tokens_are_asked_for_or_the_service_does_not_start(tmp_path: Path, address: str) -> None:
    server: dict[str, object] = {"address": address}
    with pytest.raises(InvalidRequestError, match=r"security\.tokens") as caught:
        check_security(settings(tmp_path, server=server))
    assert "\n" not in caught.value.message
    check_security(settings(tmp_path, server=server, security={"insecure": True}))
    check_security(settings(tmp_path, server=server, security={"tokens": True}))


@pytest.mark.parametrize(
    ("security", "field"),
    [
        ({"tls_certificate_file": "a"}, "security.tls_key_file"),
        ({"tls_key_file": "a"}, "security.tls_certificate_file"),
        ({"client_ca_file": "a"}, "security.tls_certificate_file"),
        ({"jwt_key_file": "a"}, "security.jwt_issuer"),
        ({"jwt_key_file": "a", "jwt_issuer": "i"}, "security.jwt_audience"),
        ({"jwt_issuer": "i", "jwt_audience": "a"}, "security.jwt_key_file"),
    ],
)
def test_half_a_lock_is_refused_with_the_setting_that_is_missing(
    tmp_path: Path, security: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequestError, match="is missing") as caught:
        check_security(settings(tmp_path, security=security))
    assert caught.value.field == field


def test_a_certificate_must_go_with_its_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    one, other = authority.sign("one"), authority.sign("other")
    good: dict[str, object] = {"tls_certificate_file": one.certificate, "tls_key_file": one.key}
    check_security(settings(tmp_path, security={**good, "client_ca_file": authority.file}))
    for wrong in ({"tls_key_file": other.key}, {"tls_key_file": tmp_path / "none"}, {"client_ca_file": one.key}):
        with pytest.raises(InvalidRequestError, match="certificate"):
            check_security(settings(tmp_path, security={**good, **wrong}))


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(tmp_path: Path) -> None:
    signed = Authority(tmp_path, "authority").sign("one")
    key = serialization.load_pem_private_key(signed.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    encryption = serialization.BestAvailableEncryption(b"secret")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    signed.key.write_bytes(key.private_bytes(pem, pkcs8, encryption))
    security: dict[str, object] = {"tls_certificate_file": signed.certificate, "tls_key_file": signed.key}
    with pytest.raises(InvalidRequestError, match="certificate"):
        check_security(settings(tmp_path, security=security))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "rs256", ""])
def test_an_algorithm_that_proves_nothing_is_no_setting(tmp_path: Path, algorithm: str) -> None:
    with pytest.raises(InvalidRequestError, match="jwt_algorithm"):
        settings(tmp_path, security={"jwt_algorithm": algorithm})


def test_one_caller_may_not_take_all_places(tmp_path: Path) -> None:
    server: dict[str, object] = {"max_concurrent_requests": 16}
    tokens: dict[str, object] = {"tokens": True}
    check_security(settings(tmp_path, security=tokens))  # the defaults go together
    check_security(settings(tmp_path, server=server))  # there is one caller only
    with pytest.raises(InvalidRequestError, match=r"server\.max_concurrent_requests 16") as caught:
        check_security(settings(tmp_path, server=server, security=tokens))
    assert caught.value.field == "security.concurrent_calls"
    check_security(settings(tmp_path, server=server, security={**tokens, "concurrent_calls": 15}))
