"""Connections to the Redis or Valkey server, and what is raised when it fails."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.retry import Retry

from xmirad.errors import BackendUnavailableError

PREFIX = "xmirad:"
SECONDS = 5.0
RETRY_SECONDS = 2.0
IMPATIENT_SECONDS = 0.5

CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"
CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
MESSAGES = {
    CREDENTIALS_REFUSED: "the queue's server refuses the password: see queue.url and queue.password_file",
    CERTIFICATE_REFUSED: "the certificate of the queue's server is not trusted: see queue.ca_file",
}

Server = Any  # redis types every answer as one that may have to be awaited


def connect(url: str) -> Server:
    """Return a connection pool; nothing is connected yet."""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)


def connect_impatiently(url: str, *, seconds: float = IMPATIENT_SECONDS) -> Server:
    """Return a connection pool for those who rather hear soon that the server does not answer."""
    patience = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return redis.Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 0), **patience)


@contextmanager
def available() -> Iterator[None]:
    """Raise what the server fails with as an error of ours.

    Raises:
        BackendUnavailableError: If the server cannot be reached or fails; `metadata["cause"]` is set where that is
            a matter of credentials or certificates. No message holds either.
    """
    try:
        yield
    except (RedisError, OperationalError, OSError) as error:
        cause = _cause(error)
        raise BackendUnavailableError(
            MESSAGES.get(cause, "the explanation queue is not available"),
            metadata={"backend": "queue"} | ({"cause": cause} if cause else {}),
            retry_delay_seconds=RETRY_SECONDS,
        ) from error


def _cause(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, AuthenticationError | NoPermissionError):
            return CREDENTIALS_REFUSED
        if isinstance(error, ResponseError) and str(error).startswith(("NOAUTH", "WRONGPASS")):
            return CREDENTIALS_REFUSED
        if isinstance(error, ssl.SSLError):
            return CERTIFICATE_REFUSED
        error = error.__cause__ or error.__context__
    return ""
