"""Secrets that lie in files of their own, such as those that containers are given."""

import logging
import stat
from pathlib import Path

from xmirad.errors import InvalidRequestError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
logger = logging.getLogger(__name__)


def read_secret(path: Path, *, setting: str) -> str:
    """Return the text of a file without blanks around it.

    Args:
        path: The file.
        setting: Which setting names it; errors say so, and never what is in the file.

    Raises:
        InvalidRequestError: If it cannot be read, is empty, or is no line of text.
    """
    secret = read_file(path, setting=setting)
    try:
        text = secret.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable() or " " in text:
        message = f"{setting}: {path} must hold one secret of printable ASCII characters and nothing else"
        raise InvalidRequestError(message, field=setting, metadata={"path": str(path)})
    if path.stat().st_mode & OTHERS:
        logger.warning("secret.readable_by_others", extra={"field": setting})
    return text


def read_file(path: Path, *, setting: str) -> bytes:
    """Return the bytes of a file that a setting names.

    Raises:
        InvalidRequestError: If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{setting}: {path} cannot be read ({error.strerror})"
        raise InvalidRequestError(message, field=setting, metadata={"path": str(path)}) from error
