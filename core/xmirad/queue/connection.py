"""Connections to the Redis or Valkey server, and what is raised when it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from xmirad.errors import BackendUnavailableError

PREFIX = "xmirad:"
SECONDS = 5.0
RETRY_SECONDS = 2.0
IMPATIENT_SECONDS = 0.5

Server = Any  # redis types every answer as one that may have to be awaited


def connect(url: str) -> Server:
    """Return a connection pool; nothing is connected yet."""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)


def connect_impatiently(url: str) -> Server:
    """Return a connection pool for those who rather hear at once that the server does not answer."""
    patience = {"socket_timeout": IMPATIENT_SECONDS, "socket_connect_timeout": IMPATIENT_SECONDS}
    return redis.Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 0), **patience)


@contextmanager
def available() -> Iterator[None]:
    """Raise what the server fails with as an error of ours.

    Raises:
        BackendUnavailableError: If the server cannot be reached or fails.
    """
    try:
        yield
    except (RedisError, OperationalError, OSError) as error:
        raise BackendUnavailableError(
            "the explanation queue is not available",
            metadata={"backend": "queue"},
            retry_delay_seconds=RETRY_SECONDS,
        ) from error
