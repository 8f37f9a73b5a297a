"""The site key's file. Losing the key loses the link between patients, items and their archives."""

import logging
import os
import secrets
import stat
from pathlib import Path

from xmirad.errors import SiteKeyMismatchError
from xmirad.home import PRIVATE_FILE, Home
from xmirad.ids import SiteKey
from xmirad.settings import Settings, StoreKind

SITE_KEY_BYTES = 32
logger = logging.getLogger(__name__)


def load_site_key(settings: Settings) -> SiteKey:
    """Read the site key; create it if the home is empty and holds all of the data.

    Call it while holding the home's service lock.

    Raises:
        SiteKeyMismatchError: If the file is missing or is not 32 bytes long. The message names the remedy.
    """
    present = present_site_key(settings)
    if present is not None:
        return present
    path = _path(settings)
    _create(path)
    return _read(path)


def present_site_key(settings: Settings) -> SiteKey | None:
    """Read the site key, or return None where the first start is going to make it. Changes nothing.

    Raises:
        SiteKeyMismatchError: If the file is missing or is not 32 bytes long. The message names the remedy.
    """
    path = _path(settings)
    if settings.site_key_file is None and not path.exists():
        _check_first_start(settings, Home(settings.home), path)
        return None
    return _read(path)


def _path(settings: Settings) -> Path:
    return settings.site_key_file or Home(settings.home).secrets / "site.key"


def _check_first_start(settings: Settings, home: Home, path: Path) -> None:
    if settings.store.kind is not StoreKind.EDGE or settings.blobs.url:
        message = "a service whose data lies outside of its home needs the site key's file: set XMIRAD_SITE_KEY_FILE"
        raise SiteKeyMismatchError(message, field="site_key_file")
    if not home.is_empty():
        message = (
            f"the site key {path} is missing, but the home holds data made with it: "
            "put the key back, or set XMIRAD_SITE_KEY_FILE to its copy"
        )
        raise SiteKeyMismatchError(message, field="site_key_file", metadata={"path": str(path)})


def _create(path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SITE_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> SiteKey:
    metadata = {"path": str(path)}
    try:
        secret = path.read_bytes()
    except OSError as error:
        message = f"the site key {path} cannot be read ({error.strerror}): put it there or set XMIRAD_SITE_KEY_FILE"
        raise SiteKeyMismatchError(message, field="site_key_file", metadata=metadata) from error
    if len(secret) != SITE_KEY_BYTES:
        message = (
            f"the site key {path} must be exactly {SITE_KEY_BYTES} bytes, not {len(secret)}: "
            "put the right file back, or for a new site make one with `head -c 32 /dev/urandom`"
        )
        raise SiteKeyMismatchError(message, field="site_key_file", metadata=metadata)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        logger.warning("site_key.readable_by_others")
    return SiteKey(secret)
