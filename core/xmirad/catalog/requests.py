"""Requests that have an id: each takes effect once, however often it is sent, and a replay gets the first one's result.

A row is committed before the effect, and completed with the result after it. A deletion must not be repeated, for what
was deleted may have been created again meanwhile, and a name cannot be given twice: there the effect's own transaction
completes the row. All other effects may be repeated. So whatever ends the process between two statements, a replay
finds the result, or repeats what may be repeated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog.clock import wall_ms
from xmirad.catalog.tables import requests

KEPT_MS = 24 * 60 * 60 * 1_000
PAGE = 500


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What a request is known by.

    Attributes:
        site: Of the caller.
        caller: Its name; empty where no tokens are asked for.
        method: What was called.
        request: The id that the client chose.
    """

    site: str
    caller: str
    method: str
    request: str


@dataclass(frozen=True, slots=True)
class RequestState:
    """What is known of a request.

    Attributes:
        key: What it is known by.
        digest: Of its content.
        deletes: Whether it deletes one thing, by one transaction.
        is_repeated: Whether it was begun before.
        is_done: Whether its effect is there.
        result: What it came to, if that is known.
    """

    key: RequestKey
    digest: str
    deletes: bool = False
    is_repeated: bool = False
    is_done: bool = False
    result: bytes | None = None


_under_way: ContextVar[RequestState | None] = ContextVar("request", default=None)


@contextmanager
def under_way(state: RequestState) -> Iterator[None]:
    """Have the functions below know the request for the length of the block, also in threads and tasks begun in it."""
    token = _under_way.set(state)
    try:
        yield
    finally:
        _under_way.reset(token)


def note_deletion(connection: Connection) -> None:
    """Note, in the transaction that deletes something, that the request under way has done that, if it asked for it."""
    state = _under_way.get()
    if state is not None and state.deletes:
        complete(connection, state.key, b"")


def note_result(connection: Connection, result: bytes) -> None:
    """Note, in the transaction that creates something under a new name, what the request under way comes to."""
    state = _under_way.get()
    if state is not None:
        complete(connection, state.key, result)


def begin(connection: Connection, key: RequestKey, digest: str, *, deletes: bool = False) -> RequestState:
    """Note that a request is being carried out, or return what is known of it."""
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    now = wall_ms(connection)
    begun = {"digest": digest, "is_done": False, "result": None, "create_ms": now}
    new = engine.insert(requests).values(
        site=key.site, caller=key.caller, method=key.method, request=key.request, **begun
    )
    put = new.on_conflict_do_update(
        index_elements=["site", "caller", "method", "request"],
        set_=begun,
        where=requests.c.create_ms < now - KEPT_MS,
    )
    if connection.execute(put.returning(requests.c.request)).first() is not None:
        return RequestState(key, digest, deletes)
    found = connection.execute(select(requests.c.digest, requests.c.is_done, requests.c.result).where(_is(key))).one()
    return RequestState(key, found.digest, deletes, is_repeated=True, is_done=found.is_done, result=found.result)


def complete(connection: Connection, key: RequestKey, result: bytes) -> None:
    """Note what a request came to."""
    connection.execute(update(requests).where(_is(key)).values(is_done=True, result=result))


def forget(connection: Connection, key: RequestKey) -> None:
    """Forget a request that had no effect."""
    connection.execute(delete(requests).where(_is(key), requests.c.is_done.is_(False)))


def delete_expired(connection: Connection) -> int:
    """Delete some requests that are too old to be repeated; return how many: none are left once it is 0."""
    is_expired = requests.c.create_ms < wall_ms(connection) - KEPT_MS
    key = (requests.c.site, requests.c.caller, requests.c.method, requests.c.request)
    oldest = connection.execute(select(*key).where(is_expired).order_by(requests.c.create_ms).limit(PAGE)).all()
    for row in oldest:
        connection.execute(delete(requests).where(_is(RequestKey(*row)), is_expired))
    return len(oldest)


def _is(key: RequestKey) -> ColumnElement[bool]:
    return and_(
        requests.c.site == key.site,
        requests.c.caller == key.caller,
        requests.c.method == key.method,
        requests.c.request == key.request,
    )
