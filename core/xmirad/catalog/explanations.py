"""Statements on explanations and stored queries. Each takes a connection.

An explanation has one row, of its latest attempt. Whoever refers to an item or a query locks it, so that neither can be
deleted in between; locks are taken in the order items, query, explanation, cache entry.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog import archives as archive_rows
from xmirad.catalog import requests
from xmirad.catalog.explanation_tables import (
    IS_ABANDONED,
    IS_FINISHED,
    IS_LIVE,
    IS_QUERY_LIVE,
    IS_UNASSESSED,
    IS_UNFINISHED,
    cache_subscribers,
    explanation_items,
    explanations,
    queries,
)
from xmirad.catalog.items import HAS_NO_TOMBSTONE, IS_RECORDED
from xmirad.catalog.occlusion import NewEntry, delete_entries_of_query, open_entry, subscribe, unsubscribe
from xmirad.catalog.tables import archives, items
from xmirad.errors import BackendUnavailableError, ItemNotFoundError
from xmirad.ids import item_name

PAGE = 100
PURGE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ExplanationRow:
    """The latest attempt at an explanation; documents are JSON.

    Attributes:
        explanation: Its id.
        attempt: Counted from 1.
        queue: Where its tasks wait.
        create_time: In seconds since 1970.
        request: What was asked.
        state: How it ended, or None.
        finish_time: When, or None.
        result: Its maps and its error, or None.
        preview: The maps that are there so far, or None.
        preview_windows: From how many windows.
        fidelity: What its maps are worth, or None.
    """

    explanation: str
    attempt: int
    queue: str
    create_time: float
    request: str
    state: str | None
    finish_time: float | None
    result: str | None
    preview: str | None
    preview_windows: int
    fidelity: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """An attempt to be stored.

    Attributes:
        explanation: Its id.
        attempt: Its number, if nothing of the explanation is left of before it was deleted; else it goes on from there.
        site: Whose it is.
        archive: The archive's id.
        query: Digest of its stored query, or None.
        items: Ids of the items that play a part in it.
        queue: Where its tasks wait.
        request: What was asked, as JSON.
    """

    explanation: str
    attempt: int
    site: str
    archive: str
    query: str | None
    items: Collection[str]
    queue: str
    request: str


ROW = tuple(explanations.c[name] for name in ExplanationRow.__slots__)
FOUND = select(*ROW).where(explanations.c.explanation == bindparam("explanation"), IS_LIVE)
UNFINISHED = select(explanations.c.explanation).where(IS_UNFINISHED).order_by(explanations.c.explanation).limit(PAGE)
UNASSESSED = select(*ROW).where(IS_UNASSESSED).order_by(explanations.c.explanation).limit(PAGE)
EXPIRED = select(explanations.c.explanation).where(IS_FINISHED).order_by(explanations.c.finish_time).limit(PAGE)
OF_QUERY = select(explanations.c.explanation).where(explanations.c.query == bindparam("digest"), IS_LIVE)
OLD_QUERIES = select(queries.c.digest).order_by(queries.c.create_time).limit(PAGE)


def find_explanation(connection: Connection, explanation: str) -> ExplanationRow | None:
    """Return an explanation that is not deleted, or None."""
    row = connection.execute(FOUND, {"explanation": explanation}).one_or_none()
    return None if row is None else _explanation(row)


def page_of_explanations(
    connection: Connection, *, site: str, archive: str, after: str, limit: int
) -> list[ExplanationRow]:
    """Return a site's explanations behind an id, in order; those of one archive, or of all if it is empty."""
    rows = select(*ROW).where(IS_LIVE, explanations.c.site == site, explanations.c.explanation > after)
    if archive:
        rows = rows.where(explanations.c.archive == archive)
    rows = rows.order_by(explanations.c.explanation).limit(limit)
    return [_explanation(row) for row in connection.execute(rows).all()]


def lock_items(connection: Connection, *, site: str, archive: str, ids: Collection[str]) -> str:
    """Keep items and their archive from being deleted until the transaction ends; return the archive's creation id.

    Raises:
        ItemNotFoundError: If one of them is not there.
        ArchiveNotFoundError: If the archive was deleted just now.
    """
    statement = (
        select(items.c.item, items.c.creation)
        .join(archives, archives.c.creation == items.c.creation)
        .where(archives.c.archive == archive, archives.c.site == site, archives.c.delete_time.is_(None))
        .where(items.c.item.in_(sorted(ids)), IS_RECORDED, HAS_NO_TOMBSTONE)
        .order_by(items.c.item)
        .with_for_update(read=True, of=items)
    )
    found = {row.item: row.creation for row in connection.execute(statement).all()}
    gone = next((each for each in sorted(ids) if each not in found), None)
    if gone is not None:
        name = item_name(archive, gone)
        raise ItemNotFoundError(f"there is no item {name}", field="item", metadata={"item": name})
    creation: str = next(iter(found.values()))
    archive_rows.pass_gate(connection, creation, archive)
    return creation


def lock_query(connection: Connection, digest: str) -> None:
    """Say that a stored query is explained, and keep it from being deleted until the transaction ends.

    Raises:
        BackendUnavailableError: If it went meanwhile; whoever asks again stores it again.
    """
    row = update(queries).where(queries.c.digest == digest, IS_QUERY_LIVE)
    if not connection.execute(row.values(is_explained=True)).rowcount:
        raise being_deleted("the query")


def put_attempt(connection: Connection, new: NewAttempt, *, entries: Sequence[NewEntry], now: float) -> bool:
    """Store an attempt, and that it waits for its cache entries; the first of a number counts.

    Returns:
        Whether this was it.

    Raises:
        ItemNotFoundError: If one of its items is gone.
        ArchiveNotFoundError: If its archive is.
        BackendUnavailableError: If it, its query or a cache entry is just being deleted.
    """
    creation = lock_items(connection, site=new.site, archive=new.archive, ids=new.items)
    if new.query is not None:
        lock_query(connection, new.query)
    if not _insert(connection, new, creation=creation, now=now):
        if find_explanation(connection, new.explanation) is None:
            raise being_deleted("the explanation")
        return False
    item_rows = [{"creation": creation, "item": item, "explanation": new.explanation} for item in sorted(new.items)]
    connection.execute(delete(explanation_items).where(explanation_items.c.explanation == new.explanation))
    connection.execute(insert(explanation_items).values(item_rows))
    for entry in sorted(entries):
        open_entry(connection, entry, now=now)
        subscribe(connection, entry.location, new.explanation)
    return True


def put_back(connection: Connection, row: ExplanationRow, *, attempt: int) -> None:
    """Let an explanation be as it was before an attempt, which has not ended."""
    of_attempt = explanations.c.explanation == row.explanation, explanations.c.attempt == attempt, IS_UNFINISHED
    values = {name: getattr(row, name) for name in ExplanationRow.__slots__}
    if connection.execute(update(explanations).where(*of_attempt).values(values)).rowcount:
        unsubscribe(connection, row.explanation)


def finish(connection: Connection, explanation: str, attempt: int, *, state: str, now: float, result: str) -> bool:
    """Say how an attempt ended, which waits for nothing then; the first counts. Return whether this was it."""
    row = update(explanations).where(explanations.c.explanation == explanation, explanations.c.attempt == attempt)
    values = {"state": state, "finish_time": now, "result": result, "preview": None}
    is_first = bool(connection.execute(row.where(IS_UNFINISHED).values(values)).rowcount)
    if is_first:
        unsubscribe(connection, explanation)
    return is_first


def take_back(connection: Connection, explanation: str, attempt: int) -> None:
    """Let an attempt be finished once more: what it had come to cannot be read."""
    row = update(explanations).where(explanations.c.explanation == explanation, explanations.c.attempt == attempt)
    values = dict.fromkeys(("state", "finish_time", "result", "fidelity"))
    connection.execute(row.where(IS_LIVE).values(values))


def put_preview(connection: Connection, explanation: str, attempt: int, *, preview: str, windows: int) -> bool:
    """Keep what there is of an attempt's maps unless more is kept; return whether the attempt goes on."""
    of_attempt = (explanations.c.explanation == explanation, explanations.c.attempt == attempt, IS_UNFINISHED)
    row = update(explanations).where(*of_attempt, explanations.c.preview_windows < windows)
    if connection.execute(row.values(preview=preview, preview_windows=windows)).rowcount:
        return True
    return connection.execute(select(literal(1)).where(*of_attempt)).first() is not None


def put_fidelity(connection: Connection, explanation: str, attempt: int, *, fidelity: str) -> bool:
    """Keep what an attempt's maps are worth; return whether nothing was kept before."""
    row = update(explanations).where(explanations.c.explanation == explanation, explanations.c.attempt == attempt)
    row = row.where(IS_LIVE, explanations.c.fidelity.is_(None))
    return bool(connection.execute(row.values(fidelity=fidelity)).rowcount)


def page_of_unfinished(connection: Connection, *, after: str) -> list[str]:
    """Return the ids of the next explanations that have not ended, in order."""
    return list(connection.execute(UNFINISHED.where(explanations.c.explanation > after)).scalars())


def page_of_unassessed(connection: Connection, *, after: str) -> list[ExplanationRow]:
    """Return the next explanations of whose maps it is not known what they are worth, in order."""
    rows = connection.execute(UNASSESSED.where(explanations.c.explanation > after)).all()
    return [_explanation(row) for row in rows]


def finished_before(connection: Connection, time: float) -> list[str]:
    """Return the ids of some explanations that ended no later, the oldest first."""
    return list(connection.execute(EXPIRED.where(explanations.c.finish_time <= time)).scalars())


def delete_explanation(connection: Connection, explanation: str, *, now: float) -> bool:
    """Delete an explanation as `delete_explanations` does, and note that the request under way has done so."""
    was_there = _delete(connection, explanation, now=now)
    if was_there:
        requests.note_deletion(connection)
    return was_there


def delete_explanations(connection: Connection, ids: Collection[str], *, now: float) -> int:
    """Mark explanations as deleted, and stored queries with the last one of them; return how many were there."""
    return sum([_delete(connection, each, now=now) for each in sorted(ids)])


def explanations_of_items(connection: Connection, creation: str, ids: Sequence[str]) -> list[str]:
    """Return the ids of the explanations in which one of some items plays a part."""
    of_items = explanation_items.c.creation == creation, explanation_items.c.item.in_(ids)
    return sorted(set(connection.execute(select(explanation_items.c.explanation).where(*of_items)).scalars()))


def some_of_archive(connection: Connection, creation: str) -> list[str]:
    """Return the ids of some explanations of an archive."""
    rows = select(explanations.c.explanation).where(explanations.c.creation == creation, IS_LIVE)
    return list(connection.execute(rows.limit(PAGE)).scalars())


def put_query(connection: Connection, digest: str, *, now: float) -> None:
    """Say that a query is about to be stored, anew if it is there.

    Raises:
        BackendUnavailableError: If it is being deleted.
    """
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"create_time": now, "delete_time": None, "is_purged": False}
    inserted = engine.insert(queries).values(digest=digest, is_explained=False, **values)
    kept = case((IS_QUERY_LIVE, queries.c.is_explained), else_=False)
    put = inserted.on_conflict_do_update(
        index_elements=["digest"],
        set_={**values, "is_explained": kept},
        where=IS_QUERY_LIVE | queries.c.is_purged,
    )
    if connection.execute(put.returning(queries.c.digest)).first() is None:
        raise being_deleted("the query")


def old_queries(connection: Connection, *, stored_before: float, abandoned_before: float) -> list[str]:
    """Return the digests of some queries that were stored too long ago, or that nobody explains, the oldest first."""
    old = OLD_QUERIES.where(IS_QUERY_LIVE, queries.c.create_time <= stored_before)
    abandoned = OLD_QUERIES.where(IS_ABANDONED, queries.c.create_time <= abandoned_before)
    return [digest for each in (old, abandoned) for digest in connection.execute(each).scalars()]


def explanations_of_query(connection: Connection, digest: str) -> list[str]:
    """Return the ids of the explanations of a stored query."""
    return list(connection.execute(OF_QUERY, {"digest": digest}).scalars())


def delete_query(connection: Connection, digest: str, *, now: float) -> None:
    """Mark a query as deleted, with its explanations and what is cached of it."""
    connection.execute(select(literal(1)).where(queries.c.digest == digest).with_for_update())
    _mark_deleted(connection, explanations_of_query(connection, digest), now=now)
    row = update(queries).where(queries.c.digest == digest, IS_QUERY_LIVE)
    connection.execute(row.values(delete_time=now, is_purged=False))
    delete_entries_of_query(connection, digest, now=now)


def being_deleted(what: str) -> BackendUnavailableError:
    """Return what to tell whoever wants what is just going; it is there again a moment later."""
    message = f"{what} is just being deleted; ask again"
    return BackendUnavailableError(message, metadata={"backend": "catalog"}, retry_delay_seconds=PURGE_SECONDS)


def _insert(connection: Connection, new: NewAttempt, *, creation: str, now: float) -> bool:
    """Return whether the attempt is the next one, or the first one after a deletion, from which counting goes on."""
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    values: dict[str, Any] = {
        "site": new.site,
        "archive": new.archive,
        "creation": creation,
        "query": new.query,
        "attempt": new.attempt,
        "queue": new.queue,
        "create_time": now,
        "request": new.request,
        "preview_windows": 0,
        "is_purged": False,
    } | dict.fromkeys(("state", "finish_time", "result", "preview", "fidelity", "delete_time"))
    was_deleted = explanations.c.delete_time.is_not(None)
    is_next = (IS_LIVE & (explanations.c.attempt < new.attempt)) | (was_deleted & explanations.c.is_purged)
    changes = values | {"attempt": case((was_deleted, explanations.c.attempt + 1), else_=new.attempt)}
    put = engine.insert(explanations).values(explanation=new.explanation, **values)
    put = put.on_conflict_do_update(index_elements=["explanation"], set_=changes, where=is_next)
    return connection.execute(put.returning(explanations.c.attempt)).first() is not None


def _delete(connection: Connection, explanation: str, *, now: float) -> bool:
    row = select(explanations.c.query).where(explanations.c.explanation == explanation, IS_LIVE)
    found = connection.execute(row).one_or_none()
    if found is None:
        return False
    if found.query is not None:  # before the explanation, as whoever creates another one of it
        connection.execute(select(literal(1)).where(queries.c.digest == found.query).with_for_update())
    _mark_deleted(connection, [explanation], now=now)
    if found.query is not None and connection.execute(OF_QUERY.limit(1), {"digest": found.query}).first() is None:
        delete_query(connection, found.query, now=now)
    return True


def _mark_deleted(connection: Connection, ids: Sequence[str], *, now: float) -> None:
    if not ids:
        return
    rows = update(explanations).where(explanations.c.explanation.in_(sorted(ids)), IS_LIVE)
    nothing = dict.fromkeys(("request", "result", "preview", "fidelity"))
    connection.execute(rows.values(delete_time=now, is_purged=False, **nothing))
    for table in (explanation_items, cache_subscribers):
        connection.execute(delete(table).where(table.c.explanation.in_(sorted(ids))))


def _explanation(row: Row[*tuple[Any, ...]]) -> ExplanationRow:
    return ExplanationRow(*row)
