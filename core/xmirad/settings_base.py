"""What groups of settings are made of."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:\[\]]+):(\d{1,5})")
MAX_PORT = 65_535


def absolute(path: Path) -> Path:
    """Return a path without `~`, from the root of the file system."""
    return path.expanduser().absolute()


def _checked_address(address: str) -> str:
    match = ADDRESS.fullmatch(address)
    if match is None or int(match[2]) > MAX_PORT:
        raise ValueError(f"must be host:port with a port of 0 to {MAX_PORT}, such as 127.0.0.1:50051")
    return address


def _without_credentials(url: str) -> str:
    """Refuse credentials in what `config show`, messages and logs show."""
    if "@" in url:
        raise ValueError("must not hold a user or a password: use store.api_key_file")
    return url


FolderPath = Annotated[Path, AfterValidator(absolute)]
FilePath = Annotated[Path, AfterValidator(absolute)]
FolderAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
PlainUrl = Annotated[str, AfterValidator(_without_credentials)]
Address = Annotated[str, AfterValidator(_checked_address)]


class SettingsGroup(BaseModel):
    """Base of the groups: frozen, and without room for unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
