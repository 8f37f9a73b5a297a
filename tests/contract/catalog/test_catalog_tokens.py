"""Tokens in the catalog: their digests, who is in force, and what no mistake brings back."""

import time
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from support.plans import assert_no_scan
from xmirad.access.caller import Caller, Scope
from xmirad.access.tokens import KEPT_SECONDS, LATE_SECONDS, CatalogTokens, digest_of, new_token, token_record
from xmirad.catalog import tokens as rows
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.tokens import PAGE, TokenRecord, all_tokens, insert_first_token, insert_token, page_of_tokens
from xmirad.errors import BackendUnavailableError, InvalidRequestError, RecordCorruptError, TokenNotFoundError

Open = Callable[..., Catalog]
READ = (Scope.READ,)


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Away(Database):
    """A database that fails when told."""

    is_away = False

    def read(self, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - as the method that it replaces
        if self.is_away:
            raise BackendUnavailableError("it is away", metadata={"backend": "catalog", "cause": "UNREACHABLE"})
        return super().read(work)


@pytest.fixture
def database(catalog: Catalog) -> Database:
    return catalog.database


def created(database: Database, name: str, *, site: str = "local", expire_time: float | None = None) -> str:
    token = new_token()
    record = token_record(token, name=name, scopes=READ, site=site, expire_time=expire_time)
    database.write(lambda connection: insert_token(connection, record))
    return token


def revoke(database: Database, name: str, *, site: str = "local") -> None:
    database.write(lambda connection: rows.revoke_token(connection, site, name, now=time.time()))


def listed(database: Database) -> list[TokenRecord | RecordCorruptError]:
    return database.read(lambda connection: list(all_tokens(connection)))


def read_tokens(database: Database) -> CatalogTokens:
    tokens = CatalogTokens(database)
    tokens.read()
    return tokens


def test_a_token_stands_for_its_owner_and_any_other_for_nobody(database: Database) -> None:
    token = created(database, "viewer", site="north")
    tokens = read_tokens(database)
    assert tokens.caller_of(token) == Caller("viewer", "north", frozenset(READ))
    for other in (token[:-1], token + "x", token.upper(), "", "é", new_token()):
        assert tokens.caller_of(other) is None


def test_the_catalog_holds_a_digest_and_never_the_token(database: Database) -> None:
    token = created(database, "viewer")
    values = database.read(lambda connection: connection.execute(text("SELECT * FROM tokens")).one())
    assert digest_of(token) in values
    assert token not in map(str, values)
    assert len(token) > 43  # 256 bits


def test_a_name_is_in_force_once_in_a_site(database: Database) -> None:
    created(database, "viewer")
    created(database, "viewer", site="north")
    with pytest.raises(InvalidRequestError, match="revoke it first"):
        created(database, "viewer")
    revoke(database, "viewer")
    created(database, "viewer")
    with pytest.raises(TokenNotFoundError):
        revoke(database, "viewer", site="south")


def test_a_revoked_token_is_refused_and_the_others_stay(database: Database) -> None:
    first, second = created(database, "first"), created(database, "second")
    tokens = read_tokens(database)
    revoke(database, "first")
    assert tokens.caller_of(first) is not None  # until they are read again
    tokens.read()
    assert tokens.caller_of(first) is None
    assert tokens.caller_of(second) is not None
    with pytest.raises(TokenNotFoundError):
        revoke(database, "first")


def test_a_token_that_expires_is_refused_from_then_on(database: Database) -> None:
    clock = Clock()
    expiry = time.time() + 100.0
    token = created(database, "short", expire_time=expiry)
    tokens = CatalogTokens(database, wall_clock=clock)
    tokens.read()
    clock.now = expiry - 1.0
    assert tokens.caller_of(token) is not None
    clock.now = expiry
    assert tokens.caller_of(token) is None


def test_a_first_token_is_made_once_and_not_again_once_it_is_revoked(database: Database, open_catalog: Open) -> None:
    records = [token_record(new_token(), name="demo", scopes=READ, site="local") for _ in range(3)]
    assert database.write(lambda connection: insert_first_token(connection, records[0]))
    other = open_catalog().database
    assert not other.write(lambda connection: insert_first_token(connection, records[1]))
    revoke(database, "demo")
    assert not other.write(lambda connection: insert_first_token(connection, records[2]))
    assert listed(database) == []


def test_while_the_catalog_is_away_known_tokens_hold_for_a_minute_and_unknown_ones_are_not_refused(
    catalog: Catalog, url: str
) -> None:
    catalog.archives()
    database, clock = Away(url), Clock()
    known, unknown = created(database, "known"), new_token()
    tokens = CatalogTokens(database, clock=clock)
    tokens.read()
    assert tokens.caller_of(unknown) is None

    database.is_away = True
    with pytest.raises(BackendUnavailableError):
        tokens.read()
    clock.now += LATE_SECONDS + 1.0
    assert tokens.caller_of(known) is not None
    assert tokens.caller_of("another kind of token") is None
    with pytest.raises(BackendUnavailableError):
        tokens.caller_of(unknown)
    clock.now += KEPT_SECONDS
    with pytest.raises(BackendUnavailableError):
        tokens.caller_of(known)

    database.is_away = False
    tokens.read()
    assert tokens.caller_of(known) is not None
    assert tokens.caller_of(unknown) is None
    database.close()


def test_tokens_are_read_again_and_again_until_they_are_closed(database: Database) -> None:
    tokens = CatalogTokens(database)
    tokens.start()
    token = created(database, "viewer")
    deadline = time.monotonic() + 5.0
    while tokens.caller_of(token) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    tokens.close()


def test_a_damaged_row_costs_no_other_token(database: Database) -> None:
    good = created(database, "good")
    created(database, "bad")
    database.write(lambda connection: connection.execute(text("UPDATE tokens SET scopes = 'all' WHERE name = 'bad'")))
    bad = next(each for each in listed(database) if isinstance(each, RecordCorruptError))
    assert bad.metadata == {"token": "tokens/bad"}
    assert read_tokens(database).caller_of(good) is not None
    revoke(database, "bad")
    assert len(listed(database)) == 1


def test_many_tokens_are_listed_by_site_and_name(database: Database) -> None:
    records = [
        token_record(new_token(), name=f"n{number:04}", scopes=READ, site=site)
        for site in ("north", "south")
        for number in range(PAGE // 2 + 1)
    ]

    def insert(connection: Connection) -> None:
        for record in records:
            insert_token(connection, record)

    database.write(insert)
    assert listed(database) == records
    page = database.read(lambda connection: page_of_tokens(connection, "south", after="n0001", limit=2))
    assert [each.name for each in page if isinstance(each, TokenRecord)] == ["n0002", "n0003"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"scopes": ()}, "scopes"),
        ({"site": ""}, "site"),
        ({"site": "s" * 65}, "site"),
        ({"site": "a\nb"}, "site"),
        ({"expire_time": 1.0}, "expire_time"),
        ({"token": "xmirad_short"}, "token"),
        ({"token": "password"}, "token"),
    ],
)
def test_values_that_are_not_allowed_are_named(changed: dict[str, object], field: str) -> None:
    values: dict[str, object] = {"token": new_token(), "name": "viewer", "scopes": READ, "site": "local"}
    with pytest.raises(InvalidRequestError) as caught:
        token_record(**{**values, **changed})  # type: ignore[arg-type]
    assert caught.value.field == field


def test_no_statement_of_tokens_reads_a_whole_table(database: Database) -> None:
    created(database, "viewer")
    record = token_record(new_token(), name="demo", scopes=READ, site="local")
    assert_no_scan(database, lambda: listed(database))
    assert_no_scan(database, lambda: created(database, "other"))
    assert_no_scan(database, lambda: revoke(database, "other"))
    assert_no_scan(database, lambda: database.write(lambda connection: insert_first_token(connection, record)))
    assert_no_scan(database, lambda: database.read(lambda connection: page_of_tokens(connection, "local", after="")))
