"""Reads the settings, names the key of every mistake, and tells where each value comes from."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError

from xmirad.errors import InvalidRequestError
from xmirad.settings import CONFIG_VARIABLE, Settings, config_file

PREFIX = "XMIRAD_"
MASK = "**********"
CREDENTIALS = re.compile(r"://[^/@\s]+@")
TEST_PREFIX = "XMIRAD_TEST_"  # where tests find images and models


class Source(StrEnum):
    """Where a setting's value comes from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A setting as it applies.

    Attributes:
        name: Its dotted name, such as `server.address`.
        value: Its value as a JSON value; a secret is masked.
        source: Where the value comes from.
        variable: The environment variable that sets it.
        description: What it does.
    """

    name: str
    value: str | int | float | bool | None
    source: Source
    variable: str
    description: str


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings.

    Args:
        flags: Nested values from the command line, such as `{"server": {"address": "127.0.0.1:0"}}`. They win.

    Raises:
        InvalidRequestError: If a key is unknown or a value is not allowed; `field` is the key as it was written.
    """
    given = dict(flags or {})
    _check_variables(os.environ)
    _check_file(given)
    try:
        return Settings(**given)
    except ValidationError as error:
        raise _invalid(error, given) from error
    except SettingsError as error:
        raise InvalidRequestError(str(error), field="environment") from error


def effective(settings: Settings, flags: Mapping[str, Any] | None = None) -> list[EffectiveSetting]:
    """Return every setting with its value and where that comes from, secrets masked.

    Args:
        settings: What `load_settings` returned.
        flags: What `load_settings` was given.
    """
    given = dict(flags or {})
    layers = _layers(given)
    return [
        EffectiveSetting(
            name=".".join(path),
            value=_plain(reduce(getattr, path, settings)),
            source=_source(path, layers),
            variable=_variable(path),
            description=info.description or "",
        )
        for path, info in _leaves(Settings)
    ]


def _leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _leaves(info.annotation, (*above, name))
        else:
            yield (*above, name), info


def _variable(path: tuple[str, ...]) -> str:
    return PREFIX + "__".join(path).upper()


def _layers(flags: Mapping[str, Any]) -> list[tuple[Source, Mapping[str, Any]]]:
    file = TomlConfigSettingsSource(Settings, config_file(flags.get("home")))
    return [(Source.FLAG, flags), (Source.ENVIRONMENT, EnvSettingsSource(Settings)()), (Source.FILE, file())]


def _source(path: tuple[str, ...], layers: list[tuple[Source, Mapping[str, Any]]]) -> Source:
    return next((source for source, values in layers if _contains(values, path)), Source.DEFAULT)


def _contains(values: object, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, SecretStr):
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return json.dumps({str(name): str(each) for name, each in value.items()})
    return CREDENTIALS.sub(f"://{MASK}@", str(value))


def known_variables() -> set[str]:
    """Return the environment variable of every setting."""
    return {_variable(path) for path, _ in _leaves(Settings)} | {CONFIG_VARIABLE}


def _check_variables(environment: Mapping[str, str]) -> None:
    leaves = known_variables()
    groups = {_variable((path[0],)) for path, _ in _leaves(Settings) if len(path) > 1}
    known = leaves | groups
    for name in sorted(environment):
        variable = name.upper()
        if variable.startswith(PREFIX) and not variable.startswith(TEST_PREFIX) and variable not in known:
            raise _unknown("environment variable", name, near=variable, known=leaves)


def _check_file(flags: Mapping[str, Any]) -> None:
    path = config_file(flags.get("home"))
    if not path.is_file():
        if os.environ.get(CONFIG_VARIABLE):
            raise InvalidRequestError(f"{CONFIG_VARIABLE} names no file: {path}", field=CONFIG_VARIABLE)
        return
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidRequestError(f"{path} cannot be read: {error}", field="config") from error
    if "home" in values and not os.environ.get(CONFIG_VARIABLE):
        message = f"home cannot be set in {path}, which is found by it: use --home, XMIRAD_HOME or {CONFIG_VARIABLE}"
        raise InvalidRequestError(message, field="home")


def _invalid(error: ValidationError, flags: Mapping[str, Any]) -> InvalidRequestError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = tuple(str(part) for part in first["loc"])
    name = ".".join(path)
    if first["type"] == "extra_forbidden":
        return _unknown("setting", name, near=name, known={".".join(leaf) for leaf, _ in _leaves(Settings)})
    source = _source(path, _layers(flags))
    problem = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    written = _variable(path) if source is Source.ENVIRONMENT else name
    metadata = {"setting": name, "source": source.value}
    return InvalidRequestError(f"{written} {problem} (from the {source.value})", field=written, metadata=metadata)


def _unknown(kind: str, name: str, *, near: str, known: set[str]) -> InvalidRequestError:
    matches = difflib.get_close_matches(near, sorted(known), n=3)
    hint = f"; did you mean {' or '.join(matches)}?" if matches else "; `xmirad config show` lists all settings"
    metadata = {"close_matches": ", ".join(matches)}
    return InvalidRequestError(f"unknown {kind} {name}{hint}", field=name, metadata=metadata)
