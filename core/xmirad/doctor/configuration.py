"""Settings, the files that they name, the home folder, and the door."""

import os
import stat
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

from xmirad.access.checking import check_security
from xmirad.addresses import listens_everywhere
from xmirad.doctor.findings import Finding, failed, ok, warning
from xmirad.errors import InvalidRequestError
from xmirad.home import Home
from xmirad.secret_files import OTHERS
from xmirad.settings import Settings, config_file
from xmirad.settings_security import SecuritySettings
from xmirad.settings_sources import effective

PUBLIC = ("ca_file", "certificate_file", "jwt_key_file")
"""How the settings end whose files hold nothing secret."""

PASSABLE = stat.S_IXGRP | stat.S_IXOTH


def check_configuration(settings: Settings) -> Iterator[Finding]:
    """Yield what is to be said of settings that could be read."""
    file = config_file(settings.home)
    yield ok("settings", f"valid; {f'read from {file} and' if file.is_file() else 'from'} the environment")
    yield from _named_files(settings)
    yield from _home(Home(settings.home))
    yield from _door(settings)


def _named_files(settings: Settings) -> Iterator[Finding]:
    problems: list[Finding] = []
    named = [entry.name for entry in effective(settings) if entry.name.endswith("_file") and entry.value]
    for name in named:
        path = reduce(getattr, name.split("."), settings)
        problems += _file(name, Path(str(path)))
    yield from problems
    if named and not problems:
        yield ok("files", f"all {len(named)} that the settings name can be read")


def _file(name: str, path: Path) -> Iterator[Finding]:
    try:
        with path.open("rb") as file:
            content = file.read(1)
        is_open = not name.endswith(PUBLIC) and _is_open_to_others(path)
    except OSError as error:
        remedy = f"put the file there, readable by this user, or correct {name}"
        yield failed("files", f"{name}: {path} cannot be read ({error.strerror})", remedy)
        return
    if not content:
        yield failed("files", f"{name}: {path} is empty", "write the secret or certificate into it")
    elif is_open:
        yield warning("files", f"{name}: other users can read {path}", f"chmod 600 {path}")


def _is_open_to_others(path: Path) -> bool:
    """Return whether other users reach a file of this user's; what an engine mounts belongs to another, and to it."""
    status = path.stat()
    if status.st_uid != os.geteuid() or not status.st_mode & OTHERS:
        return False
    return all(folder.stat().st_mode & PASSABLE for folder in path.resolve().parents)


def _home(home: Home) -> Iterator[Finding]:
    root = home.root
    if not root.exists():
        yield ok("home", f"{root} is not there yet; the first start makes it")
        return
    try:
        mode = root.stat().st_mode
    except OSError as error:
        yield failed("home", f"{root} cannot be looked at ({error.strerror})", "run as the user who owns it")
        return
    if not root.is_dir() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        yield failed("home", f"{root} is no folder that this user can write to", "run as its owner, or set XMIRAD_HOME")
    elif mode & OTHERS:
        judge = failed if any(folder.exists() for folder in (home.secrets, home.blobs, home.store)) else warning
        yield judge("home", f"other users can look into {root}", f"chmod 700 {root}")
    else:
        yield ok("home", f"{root}, closed to other users")


def _door(settings: Settings) -> Iterator[Finding]:
    locked = settings.security != SecuritySettings()
    if not locked and not listens_everywhere(settings.server.address):
        return
    try:
        check_security(settings)
    except InvalidRequestError as error:
        yield failed("door", error.message, "the service will not start before this is corrected")
    else:
        yield ok("door", f"its settings fit each other; {settings.server.address}")
