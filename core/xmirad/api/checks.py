"""Checks of single fields of a request. Each error names the field and the limit, never the value."""

import math
from collections.abc import Sequence

from xmirad.api.limits import (
    DEFAULT_PAGE_SIZE,
    MAX_CORRELATION_ID_CHARACTERS,
    MAX_EXTERNAL_ID_CHARACTERS,
    MAX_FILE_NAME_CHARACTERS,
    MAX_PAGE_SIZE,
    MAX_WORD_CHARACTERS,
)
from xmirad.errors import InvalidRequestError


def text(value: str, *, field: str, max_characters: int) -> str:
    """Return a text that is empty, or neither blank nor too long."""
    if len(value) > max_characters:
        limit = {"max_characters": str(max_characters), "characters": str(len(value))}
        message = f"{field} must be at most {max_characters} characters long"
        raise InvalidRequestError(message, field=field, metadata=limit)
    if value and not value.strip():
        raise InvalidRequestError(f"{field} must not be blank", field=field)
    return value


def word(value: str, *, field: str, max_characters: int = MAX_WORD_CHARACTERS) -> str:
    """Return a text that can be compared: no invisible characters, and no space at either end."""
    text(value, field=field, max_characters=max_characters)
    if value != value.strip() or not value.isprintable():
        message = f"{field} must not contain control characters, nor begin or end with a space"
        raise InvalidRequestError(message, field=field)
    return value


def words(
    values: Sequence[str], *, field: str, max_count: int, max_characters: int = MAX_WORD_CHARACTERS
) -> tuple[str, ...]:
    """Return words without repetitions, in the order of their first mention. None may be empty."""
    at_most(len(values), max_count, field=field)
    for position, value in enumerate(values):
        path = f"{field}[{position}]"
        if not word(value, field=path, max_characters=max_characters):
            raise InvalidRequestError(f"{path} must not be blank", field=path)
    return tuple(dict.fromkeys(values))


def at_most(count: int, maximum: int, *, field: str) -> None:
    """Check how many values a field has."""
    if count > maximum:
        limit = {"max_count": str(maximum), "count": str(count)}
        raise InvalidRequestError(f"{field} must have at most {maximum} values", field=field, metadata=limit)


def whole_number(value: int, *, field: str, minimum: int, maximum: int) -> int:
    """Return a number that lies within inclusive bounds."""
    if not minimum <= value <= maximum:
        limit = {"minimum": str(minimum), "maximum": str(maximum), "value": str(value)}
        raise InvalidRequestError(f"{field} must be {minimum} to {maximum}", field=field, metadata=limit)
    return value


def page_size(value: int, *, field: str = "page_size") -> int:
    """Return how many entries a page has; 0 stands for the default."""
    return whole_number(value, field=field, minimum=0, maximum=MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE


def top_k(value: int, *, maximum: int, field: str = "top_k") -> int:
    """Return how many results to return."""
    return whole_number(value, field=field, minimum=1, maximum=maximum)


def min_score(value: float, *, field: str = "min_score") -> float:
    """Return a bound for scores."""
    if math.isnan(value) or not -1.0 <= value <= 1.0:
        limit = {"minimum": "-1", "maximum": "1"}
        raise InvalidRequestError(f"{field} must be -1 to 1", field=field, metadata=limit)
    return value


def external_id(value: str, *, field: str = "external_id") -> str:
    """Return an uploader's identifier."""
    return text(value, field=field, max_characters=MAX_EXTERNAL_ID_CHARACTERS)


def file_name(value: str, *, field: str = "file_name") -> str:
    """Return the name of the file that an image comes from."""
    return text(value, field=field, max_characters=MAX_FILE_NAME_CHARACTERS)


def correlation_id(value: str, *, field: str = "correlation_id") -> str:
    """Return the word that leads from an answer of a stream to its request."""
    return text(value, field=field, max_characters=MAX_CORRELATION_ID_CHARACTERS)


def model(name: str, *, field: str = "model") -> str:
    """Return the short name or digest of `models/{model}`; an empty name stays empty."""
    prefix, _, short = name.partition("/")
    if name and (prefix != "models" or not short):
        raise InvalidRequestError(f"{field} must be `models/{{model}}`", field=field)
    return word(short, field=field)
