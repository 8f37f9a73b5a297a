"""Tokens of the keys file, which is read again when it changes."""

import hmac
import logging
import time
from collections.abc import Callable
from pathlib import Path

from xmirad.access.caller import Caller
from xmirad.access.keys_file import Key, digest_of, read_closed_keys
from xmirad.errors import InvalidRequestError

LOOK_SECONDS = 1.0
logger = logging.getLogger(__name__)


class StaticTokens:
    """Knows tokens by their digests. Belongs to one thread.

    A file that has become unreadable accepts nobody: a token that was revoked by a broken edit must not live on.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file.

        Raises:
            InvalidRequestError: If it cannot be read, others may read it, or it is not as it should be.
        """
        self._path = path
        self._clock = clock
        self._version = self._version_now()  # before the content, so that no change falls between
        self._keys: tuple[Key, ...] = read_closed_keys(path)
        self._looked_at = clock()

    def caller_of(self, token: str) -> Caller | None:
        """Return whom a token stands for, or None. Takes as long for every token."""
        self._follow()
        digest, found = digest_of(token), None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key.caller
        return found

    def _follow(self) -> None:
        now = self._clock()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        version = self._version_now()
        if version == self._version:
            return
        self._version = version
        try:
            self._keys = read_closed_keys(self._path)
        except InvalidRequestError as error:
            self._keys = ()
            logger.error("keys_file.refused", extra={"reason": error.reason, "field": error.field})
        else:
            logger.info("keys_file.read", extra={"count": len(self._keys)})

    def _version_now(self) -> tuple[int, ...] | None:
        """Return what changes with the file, its permissions included."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
