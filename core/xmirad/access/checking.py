"""Whether the settings of the door fit each other, before anything listens."""

import ssl

from xmirad.addresses import is_loopback
from xmirad.errors import InvalidRequestError
from xmirad.settings import Settings
from xmirad.settings_security import SecuritySettings


def asks_for_tokens(security: SecuritySettings) -> bool:
    """Return whether callers need a token."""
    return security.tokens or security.jwt_key_file is not None


def check_security(settings: Settings) -> None:
    """Check that the door is locked wherever strangers may try it, and that its parts belong together.

    Raises:
        InvalidRequestError: If not; `field` is the setting at fault.
    """
    security = settings.security
    _check_tls(security)
    _check_web_tokens(security)
    _check_shares(settings)
    if asks_for_tokens(security) or security.insecure or is_loopback(settings.server.address):
        return
    message = (
        f"server.address {settings.server.address} reaches beyond this machine, but no tokens are asked for: set "
        "security.tokens or security.jwt_key_file, listen on 127.0.0.1, or set security.insecure"
    )
    raise InvalidRequestError(message, field="security.tokens", metadata={"address": settings.server.address})


def _check_tls(security: SecuritySettings) -> None:
    certificate, key = security.tls_certificate_file, security.tls_key_file
    if certificate is None or key is None:
        if certificate is not None or key is not None:
            missing = "tls_certificate_file" if certificate is None else "tls_key_file"
            raise _missing(missing, "a certificate and its key belong together")
        if security.client_ca_file is not None:
            raise _missing("tls_certificate_file", "certificates of clients need TLS")
        return
    field = "security.tls_certificate_file"
    try:
        # The empty password keeps OpenSSL from asking for one on the terminal, which would wait for ever.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
        if security.client_ca_file is not None:
            field = "security.client_ca_file"
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(security.client_ca_file))
    except OSError as error:  # of which an SSLError is one
        problem = error.strerror or "not PEM"
        message = f"{field}: the certificate cannot be used with its key ({problem})"
        raise InvalidRequestError(message, field=field) from error


def _check_web_tokens(security: SecuritySettings) -> None:
    given = {
        "jwt_key_file": security.jwt_key_file is not None,
        "jwt_issuer": bool(security.jwt_issuer),
        "jwt_audience": bool(security.jwt_audience),
    }
    if any(given.values()) and not all(given.values()):
        missing = next(name for name, is_given in given.items() if not is_given)
        raise _missing(missing, "JSON Web Tokens need key, issuer and audience")


def _check_shares(settings: Settings) -> None:
    share, total = settings.security.concurrent_calls, settings.server.max_concurrent_requests
    if asks_for_tokens(settings.security) and share >= total:
        message = (
            f"security.concurrent_calls {share} must be less than server.max_concurrent_requests {total}, "
            "or one token stops the service for all"
        )
        field = "security.concurrent_calls"
        raise InvalidRequestError(message, field=field, metadata={"max_concurrent_requests": str(total)})


def _missing(setting: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"security.{setting} is missing: {why}", field=f"security.{setting}")
