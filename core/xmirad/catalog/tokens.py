"""Statements on tokens: their digests, never the tokens. Each takes a connection.

A token that is revoked keeps its row, so that a token of that name is not taken for one that was never made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.access.caller import Scope
from xmirad.catalog import requests
from xmirad.catalog.tables import tokens
from xmirad.errors import InvalidRequestError, RecordCorruptError, TokenNotFoundError
from xmirad.ids import token_name

PAGE = 500
IS_IN_FORCE = tokens.c.revoke_time.is_(None)
IN_FORCE = select(tokens).where(IS_IN_FORCE).order_by(tokens.c.site, tokens.c.name).limit(PAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token that is accepted.

    Attributes:
        sha256: Digest of the token, hexadecimal.
        name: Whose it is, unique within the site.
        site: The only site whose data it opens.
        scopes: What it allows.
        create_time: In seconds since 1970.
        expire_time: From when it is not accepted any more, in seconds since 1970; None for never.
    """

    sha256: str
    name: str
    site: str
    scopes: frozenset[Scope]
    create_time: float
    expire_time: float | None = None


def insert_token(connection: Connection, record: TokenRecord, *, result: bytes = b"") -> None:
    """Insert a token, and note what the request under way comes to, if it has an id.

    Raises:
        InvalidRequestError: If one of that name is in force.
    """
    if not _insert(connection, record):
        message = f"there is a token of the name {record.name}; revoke it first"
        raise InvalidRequestError(message, field="name", metadata={"value": record.name})
    requests.note_result(connection, result)


def insert_first_token(connection: Connection, record: TokenRecord) -> bool:
    """Insert a token unless there ever was one of that name, revoked or not; return whether it was inserted."""
    of_name = select(literal(1)).where(tokens.c.site == record.site, tokens.c.name == record.name).limit(1)
    return connection.execute(of_name).first() is None and _insert(connection, record)


def revoke_token(connection: Connection, site: str, name: str, *, now: float) -> None:
    """Take a token out of force.

    Raises:
        TokenNotFoundError: If the site has none of that name in force.
    """
    mine = update(tokens).where(tokens.c.site == site, tokens.c.name == name, IS_IN_FORCE)
    if not connection.execute(mine.values(revoke_time=now)).rowcount:
        message = f"there is no token of the name {name}"
        raise TokenNotFoundError(message, field="name", metadata={"token": token_name(name)})
    requests.note_deletion(connection)


def page_of_tokens(
    connection: Connection, site: str, *, after: str, limit: int = PAGE
) -> list[TokenRecord | RecordCorruptError]:
    """Return the next tokens of a site that are in force, by name; those that cannot be read as errors."""
    page = IN_FORCE.where(tokens.c.site == site, tokens.c.name > after).limit(limit)
    return [_record_or_error(row) for row in connection.execute(page).all()]


def all_tokens(connection: Connection) -> Iterator[TokenRecord | RecordCorruptError]:
    """Yield the tokens of all sites that are in force; those that cannot be read as errors."""
    rows = connection.execute(IN_FORCE).all()
    while rows:
        yield from map(_record_or_error, rows)
        last = rows[-1]
        following = (tokens.c.site > last.site) | ((tokens.c.site == last.site) & (tokens.c.name > last.name))
        rows = connection.execute(IN_FORCE.where(following)).all() if len(rows) == PAGE else []


def _insert(connection: Connection, record: TokenRecord) -> bool:
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {
        "sha256": record.sha256,
        "site": record.site,
        "name": record.name,
        "scopes": " ".join(sorted(record.scopes)),
        "create_time": record.create_time,
        "expire_time": record.expire_time,
    }
    new = engine.insert(tokens).values(values).on_conflict_do_nothing().returning(tokens.c.sha256)
    return connection.execute(new).first() is not None


def _record_or_error(row: Row[*tuple[Any, ...]]) -> TokenRecord | RecordCorruptError:
    values: dict[str, Any] = row._asdict()
    del values["revoke_time"]
    try:
        if not isinstance(row.create_time, float) or not isinstance(row.expire_time, float | None):
            raise ValueError("a number was expected")  # SQLite stores any type in any column
        return TokenRecord(**{**values, "scopes": frozenset(map(Scope, row.scopes.split()))})
    except ValueError:
        message = f"the record of token {row.name} cannot be read: revoke it and create another"
        return RecordCorruptError(message, metadata={"token": token_name(row.name)})
