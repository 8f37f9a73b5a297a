"""The file of tokens: for each its SHA-256, never the token, with its owner, scopes and site.

    [[tokens]]
    name = "viewer"
    sha256 = "…"
    scopes = ["read", "explain"]
    site = "local"

Tokens are 256 random bits, so that a plain digest tells nothing of them.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xmirad.access.caller import MAX_SITE, NAME, Caller, Scope, is_site
from xmirad.errors import InvalidRequestError
from xmirad.home import PRIVATE_FILE
from xmirad.secret_files import OTHERS, read_file

SETTING = "security.keys_file"
PREFIX = "xmirad_"
"""Tokens begin with it, so that scanners for leaked secrets can tell them."""
TOKEN_BYTES = 32
HEADER = "# Tokens as SHA-256, written by `xmirad tokens`. The service reads changes by itself.\n"
DIGEST = re.compile(r"[0-9a-f]{64}")
FIELDS = frozenset({"name", "sha256", "scopes", "site"})


@dataclass(frozen=True, slots=True)
class Key:
    """A token that is accepted.

    Attributes:
        sha256: Digest of the token, hexadecimal.
        caller: Whom it stands for.
    """

    sha256: str
    caller: Caller


def digest_of(token: str) -> str:
    """Return the digest that a token is known by, hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_keys(path: Path) -> tuple[Key, ...]:
    """Read a file of tokens.

    Raises:
        InvalidRequestError: If it cannot be read, or is not as it should be.
    """
    data = read_file(path, setting=SETTING)
    try:
        entries = tomllib.loads(data.decode()).get("tokens", [])
        keys = tuple(_key(entry) for entry in entries)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, AttributeError, ValueError) as error:
        raise _refused(path, f"cannot be understood: {error}") from error
    names = [key.caller.name for key in keys]
    if len(set(names)) < len(names):
        raise _refused(path, "has two tokens of one name")
    return keys


def read_closed_keys(path: Path) -> tuple[Key, ...]:
    """Read a file of tokens as the service does, which takes none that other users may read or change.

    Raises:
        InvalidRequestError: If they may, it cannot be read, or is not as it should be.
    """
    keys = read_keys(path)
    if path.stat().st_mode & OTHERS:
        raise _refused(path, f"must be closed to other users: run `chmod 600 {path}`")
    return keys


def create_token(path: Path, *, name: str, scopes: Sequence[Scope], site: str) -> str:
    """Add a token to a file, which is made if it is missing, and return it: it is kept nowhere.

    Raises:
        InvalidRequestError: If there is one of that name, a value is not allowed, or the file cannot be used.
    """
    token = f"{PREFIX}{secrets.token_urlsafe(TOKEN_BYTES)}"
    try:
        key = _key({"name": name, "sha256": digest_of(token), "scopes": list(scopes), "site": site})
    except ValueError as error:
        raise InvalidRequestError(str(error), field="name") from error
    with _changing(path) as keys:
        if any(each.caller.name == name for each in keys):
            raise InvalidRequestError(f"there is a token of the name {name}; revoke it first", field="name")
        _write(path, (*keys, key))
    return token


def revoke_token(path: Path, *, name: str) -> None:
    """Take a token out of a file.

    Raises:
        InvalidRequestError: If there is none of that name, or the file cannot be used.
    """
    with _changing(path) as keys:
        kept = tuple(key for key in keys if key.caller.name != name)
        if len(kept) == len(keys):
            raise InvalidRequestError(f"there is no token of the name {name}", field="name")
        _write(path, kept)


@contextmanager
def _changing(path: Path) -> Iterator[tuple[Key, ...]]:
    """Keep other commands from changing the file meanwhile."""
    try:
        path.parent.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, f"cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield read_keys(path) if path.exists() else ()
    finally:
        os.close(folder)


def _write(path: Path, keys: Sequence[Key]) -> None:
    """Replace the file and keep its mode, by which a container's user may read the one that is mounted."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if path.exists():
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            file.write(HEADER + "".join(_entry(key) for key in keys))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _refused(path, f"cannot be written ({error.strerror})") from error


def _entry(key: Key) -> str:
    caller = key.caller
    values = {"name": caller.name, "sha256": key.sha256, "scopes": sorted(caller.scopes), "site": caller.site}
    lines = (f"{field} = {json.dumps(value)}\n" for field, value in values.items())  # what is allowed needs no escapes
    return "\n[[tokens]]\n" + "".join(lines)


def _key(entry: dict[str, object]) -> Key:
    if set(entry) != FIELDS:
        raise ValueError(f"a token has the fields {', '.join(sorted(FIELDS))}")
    name, digest, site, scopes = str(entry["name"]), str(entry["sha256"]), str(entry["site"]), entry["scopes"]
    if not NAME.fullmatch(name):
        raise ValueError("a name has up to 128 letters, digits and `._@-`, and begins with a letter or digit")
    if not DIGEST.fullmatch(digest):
        raise ValueError(f"sha256 of {name} must be 64 hexadecimal digits")
    if not is_site(site):
        raise ValueError(f"site of {name} must have 1 to {MAX_SITE} printable characters")
    if not isinstance(scopes, list) or not scopes or not set(scopes) <= set(Scope):
        raise ValueError(f"scopes of {name} must be some of {', '.join(Scope)}")
    return Key(digest, Caller(name, site, frozenset(map(Scope, scopes))))


def _refused(path: Path, problem: str) -> InvalidRequestError:
    return InvalidRequestError(f"{SETTING}: {path} {problem}", field=SETTING, metadata={"path": str(path)})
