"""Tokens of the catalog: how they are made, and who holds which.

A token is 256 random bits, so that its plain digest, which is all that the catalog has, tells nothing of it.
"""

import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from xmirad.access.caller import MAX_SITE, Caller, Scope, is_site
from xmirad.catalog.database import Database
from xmirad.catalog.tokens import TokenRecord, all_tokens
from xmirad.errors import BackendUnavailableError, InvalidRequestError, RecordCorruptError
from xmirad.ids import TOKEN_ID

PREFIX = "xmirad_"
"""Tokens begin with it, so that scanners for leaked secrets can tell them."""
TOKEN_BYTES = 32
TOKEN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43,}")
READ_SECONDS = 1.0
LATE_SECONDS = 5.0
"""Once tokens were not read for so long, one that is not known may be new."""
KEPT_SECONDS = 60.0
"""For how long known tokens are accepted while the catalog cannot be read."""
CLOSE_SECONDS = 5.0
logger = logging.getLogger(__name__)


def new_token() -> str:
    """Return a new token."""
    return f"{PREFIX}{secrets.token_urlsafe(TOKEN_BYTES)}"


def digest_of(token: str) -> str:
    """Return the digest that a token is known by, hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_record(
    token: str, *, name: str, scopes: Iterable[Scope], site: str, expire_time: float | None = None
) -> TokenRecord:
    """Return what the catalog keeps of a token.

    Raises:
        InvalidRequestError: If a value is not allowed.
    """
    allowed, now = frozenset(scopes), time.time()
    if not TOKEN.fullmatch(token):
        raise InvalidRequestError(f"a token is {PREFIX} and at least 43 of A-Z, a-z, 0-9, _ and -", field="token")
    if not TOKEN_ID.fullmatch(name):
        message = "name must have 1 to 128 letters, digits and `._@-`, and begin with a letter or digit"
        raise InvalidRequestError(message, field="name")
    if not is_site(site):
        raise InvalidRequestError(f"site must have 1 to {MAX_SITE} printable characters", field="site")
    if not allowed:
        raise InvalidRequestError(f"scopes must be some of {', '.join(Scope)}", field="scopes")
    if expire_time is not None and expire_time <= now:
        raise InvalidRequestError("expire_time must lie in the future", field="expire_time")
    digest = digest_of(token)
    return TokenRecord(sha256=digest, name=name, site=site, scopes=allowed, create_time=now, expire_time=expire_time)


class CatalogTokens:
    """Knows the catalog's tokens by their digests; reads them every second. Safe to use from many threads.

    While the catalog cannot be read, the tokens that were there hold for a minute, and nobody is told that a token is
    not accepted: it may have been made meanwhile.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Read nothing yet."""
        self._database = database
        self._clock = clock
        self._wall_clock = wall_clock
        self._known: Mapping[str, TokenRecord] = {}
        self._read_at = float("-inf")
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_reading, name="tokens", daemon=True)

    def start(self) -> None:
        """Read the tokens, and again every second until `close`.

        Raises:
            BackendUnavailableError: If they cannot be read the first time.
        """
        self.read()
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._is_closed.set()
        self._thread.join(CLOSE_SECONDS)

    def read(self) -> None:
        """Read the tokens.

        Raises:
            BackendUnavailableError: If they cannot be read.
        """
        began = self._clock()
        found = self._database.read(lambda connection: list(all_tokens(connection)))
        for each in found:
            if isinstance(each, RecordCorruptError):
                logger.error("token.corrupt", extra={"reason": each.reason})
        self._known = {each.sha256: each for each in found if isinstance(each, TokenRecord)}
        self._read_at = began

    def caller_of(self, token: str) -> Caller | None:
        """Return whom a token stands for, or None if it is not accepted.

        Raises:
            BackendUnavailableError: If that is not known, because the catalog could not be read lately.
        """
        if not token.startswith(PREFIX):
            return None
        age, found = self._clock() - self._read_at, self._known.get(digest_of(token))
        if age > KEPT_SECONDS or (found is None and age > LATE_SECONDS):
            message = "tokens cannot be checked, because the catalog does not answer"
            raise BackendUnavailableError(message, metadata={"backend": "catalog"}, retry_delay_seconds=READ_SECONDS)
        if found is None or (found.expire_time is not None and self._wall_clock() >= found.expire_time):
            return None
        return Caller(found.name, found.site, found.scopes)

    def _keep_reading(self) -> None:
        is_readable = True
        while not self._is_closed.wait(READ_SECONDS):
            try:
                self.read()
                is_readable = True
            except BackendUnavailableError as error:
                if is_readable:
                    logger.warning("tokens.not_read", extra={"cause": error.metadata.get("cause", "")})
                is_readable = False
