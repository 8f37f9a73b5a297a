"""Statements on the occlusion cache: its entries, their chunks, and who waits for them. Each takes a connection.

A chunk is there once its row is. Its blob is written before, and whoever finds the entry gone afterwards deletes it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog.explanation_tables import (
    IS_COUNTED,
    IS_ENTRY_LIVE,
    IS_QUERY_LIVE,
    IS_WARMING,
    WANTED,
    cache_chunks,
    cache_entries,
    cache_subscribers,
    cache_sums,
    queries,
)
from xmirad.catalog.items import HAS_NO_TOMBSTONE, IS_RECORDED
from xmirad.catalog.tables import archives, items
from xmirad.errors import BackendUnavailableError, ItemNotFoundError

PAGE = 100
USE_SECONDS = 3_600.0
"""Last use is written no more often than this."""


@dataclass(frozen=True, slots=True, order=True)
class NewEntry:
    """What goes and is evicted as a cache entry of an image does.

    Attributes:
        location: Prefix of its blobs.
        image: Digest of the image.
        is_query: Whether the image is a stored query.
        document: What it is, as JSON, if it is an entry that can be filled.
        size_bytes: What it takes; known of an entry that can be filled with its first chunk.
    """

    location: str
    image: str
    is_query: bool
    document: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EntryRow:
    """What is known of a cache entry.

    Attributes:
        is_whole: Whether all of it is one blob.
        chunks: Numbers of the chunks that are there otherwise.
    """

    is_whole: bool
    chunks: frozenset[int]


ENTRY = select(cache_entries.c.is_whole, cache_entries.c.done).where(
    cache_entries.c.location == bindparam("location"), IS_ENTRY_LIVE
)
CHUNKS = select(cache_chunks.c.chunk).where(cache_chunks.c.location == bindparam("location"))
SUBSCRIBERS = select(cache_subscribers.c.explanation).where(cache_subscribers.c.location == bindparam("location"))
HAS_SUBSCRIBERS = exists().where(cache_subscribers.c.location == cache_entries.c.location)
LOCKED = select(cache_entries.c.bytes, cache_entries.c.done, cache_entries.c.is_query).where(
    cache_entries.c.location == bindparam("location"), IS_ENTRY_LIVE
)


def open_entry(connection: Connection, entry: NewEntry, *, now: float) -> None:
    """Make an entry unless it is there, with a lock on its image.

    Raises:
        ItemNotFoundError: If no item, or no stored query, of this image is there.
        BackendUnavailableError: If the entry is just being deleted.
    """
    location = entry.location
    _lock_image(connection, entry.image, is_query=entry.is_query)
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    values: dict[str, Any] = {
        "image": entry.image,
        "is_query": entry.is_query,
        "document": entry.document,
        "done": 0,
        "is_whole": False,
        "bytes": entry.size_bytes,
        "use_time": now,
        "warming": None,
        "delete_time": None,
        "is_purged": False,
    }
    was_deleted = cache_entries.c.delete_time.is_not(None) & cache_entries.c.is_purged
    put = engine.insert(cache_entries).values(location=location, **values)
    put = put.on_conflict_do_update(index_elements=["location"], set_=values, where=was_deleted)
    if connection.execute(put.returning(cache_entries.c.location)).first() is not None:
        if entry.size_bytes and not entry.is_query:
            _add(connection, entry.size_bytes, 1)
    elif find_entry(connection, location) is None:
        message = "what is cached of the image is just being deleted; ask again"
        raise BackendUnavailableError(message, metadata={"backend": "catalog"}, retry_delay_seconds=0.5)


def find_entry(connection: Connection, location: str) -> EntryRow | None:
    """Return what is there of an entry, or None."""
    row = connection.execute(ENTRY, {"location": location}).one_or_none()
    if row is None:
        return None
    numbers = () if row.is_whole or not row.done else connection.execute(CHUNKS, {"location": location}).scalars()
    return EntryRow(row.is_whole, frozenset(numbers))


def add_chunk(connection: Connection, location: str, chunk: int, *, size_bytes: int) -> bool | None:
    """Say that a chunk is stored, which with the first one makes the entry count; None if the entry is gone.

    Returns:
        Whether it was not there before.
    """
    entry = connection.execute(LOCKED.with_for_update(), {"location": location}).one_or_none()
    if entry is None:
        return None
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    put = engine.insert(cache_chunks).values(location=location, chunk=chunk).on_conflict_do_nothing()
    if connection.execute(put.returning(cache_chunks.c.chunk)).first() is None:
        return False
    values = {"done": cache_entries.c.done + 1, "bytes": entry.bytes or size_bytes}
    connection.execute(update(cache_entries).where(cache_entries.c.location == location).values(values))
    if not entry.bytes and not entry.is_query:
        _add(connection, size_bytes, 1)
    return True


def drop_chunk(connection: Connection, location: str, chunk: int) -> None:
    """Say that a chunk was found damaged, and is gone."""
    connection.execute(LOCKED.with_for_update(), {"location": location})
    row = delete(cache_chunks).where(cache_chunks.c.location == location, cache_chunks.c.chunk == chunk)
    if connection.execute(row).rowcount:
        entry = update(cache_entries).where(cache_entries.c.location == location)
        connection.execute(entry.values(done=cache_entries.c.done - 1))


def make_whole(connection: Connection, location: str, *, chunks: int) -> bool:
    """Say that all chunks of an entry are one blob; return whether they are, False if the entry is gone or not full."""
    entry = connection.execute(LOCKED.with_for_update(), {"location": location}).one_or_none()
    if entry is None or entry.done != chunks:
        return False
    connection.execute(update(cache_entries).where(cache_entries.c.location == location).values(is_whole=True))
    connection.execute(delete(cache_chunks).where(cache_chunks.c.location == location))
    return True


def drop_whole(connection: Connection, location: str) -> None:
    """Say that an entry's one blob was found damaged, and is gone."""
    row = update(cache_entries).where(cache_entries.c.location == location, cache_entries.c.is_whole.is_(True))
    connection.execute(row.values(is_whole=False, done=0))


def note_use(connection: Connection, location: str, *, now: float) -> None:
    """Say that an entry was used just now."""
    row = update(cache_entries).where(cache_entries.c.location == location, IS_ENTRY_LIVE)
    connection.execute(row.where(cache_entries.c.use_time < now - USE_SECONDS).values(use_time=now))


def subscribe(connection: Connection, location: str, explanation: str) -> None:
    """Say that an explanation waits for an entry that is there."""
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = engine.insert(cache_subscribers).values(location=location, explanation=explanation)
    connection.execute(row.on_conflict_do_nothing())


def unsubscribe(connection: Connection, explanation: str) -> None:
    """Say that an explanation waits for nothing any more."""
    connection.execute(delete(cache_subscribers).where(cache_subscribers.c.explanation == explanation))


def subscribers(connection: Connection, location: str) -> Sequence[str]:
    """Return the ids of the explanations that wait for an entry, in order."""
    return sorted(connection.execute(SUBSCRIBERS, {"location": location}).scalars())


def is_wanted(connection: Connection, location: str) -> bool:
    """Return whether an explanation waits for an entry, or it is to be computed ahead."""
    of_entry = cache_entries.c.location == location
    wanted = select(literal(1)).where(of_entry, IS_ENTRY_LIVE, HAS_SUBSCRIBERS | (cache_entries.c.warming == WANTED))
    return connection.execute(wanted).first() is not None


def set_warming(connection: Connection, location: str, value: str | None, *, only: Collection[str] | None) -> bool:
    """Say that an entry is to be computed ahead (WANTED), why it cannot be, or that it is not to be (None).

    Args:
        connection: In a transaction.
        location: Of an entry.
        value: What to say.
        only: What must have been said before; None for anything else than `value`.

    Returns:
        Whether anything changed.
    """
    before = cache_entries.c.warming
    is_other: ColumnElement[bool] = before.in_(only) if only is not None else before.is_distinct_from(value)
    row = update(cache_entries).where(cache_entries.c.location == location, IS_ENTRY_LIVE, is_other)
    return bool(connection.execute(row.values(warming=value)).rowcount)


def warming_of(connection: Connection, location: str) -> str | None:
    """Return what was said of computing an entry ahead."""
    row = select(cache_entries.c.warming).where(cache_entries.c.location == location, IS_ENTRY_LIVE)
    return connection.execute(row).scalar_one_or_none()


def page_of_warming(connection: Connection, *, after: str) -> list[tuple[str, str]]:
    """Return location and document of the next entries that are to be computed ahead."""
    rows = select(cache_entries.c.location, cache_entries.c.document).where(IS_WARMING)
    page = rows.where(cache_entries.c.location > after).order_by(cache_entries.c.location).limit(PAGE)
    return [(row.location, row.document) for row in connection.execute(page).all()]


def least_recently_used(connection: Connection) -> list[str]:
    """Return the locations of some entries of items for which nobody waits, longest unused first."""
    rows = select(cache_entries.c.location).where(IS_COUNTED, ~HAS_SUBSCRIBERS)
    return list(connection.execute(rows.order_by(cache_entries.c.use_time).limit(PAGE)).scalars())


def evict(connection: Connection, location: str, *, now: float) -> int:
    """Mark an entry as deleted unless somebody waits for it by now; return how many bytes that frees."""
    connection.execute(LOCKED.with_for_update(), {"location": location})
    if subscribers(connection, location):
        return 0
    return _mark_deleted(connection, cache_entries.c.location == location, now=now)


def delete_entries_of_images(connection: Connection, images: Collection[str], *, now: float) -> None:
    """Mark what is cached of images as deleted; no item of them is there any more."""
    _mark_deleted(connection, cache_entries.c.image.in_(sorted(images)) & cache_entries.c.is_query.is_(False), now=now)


def delete_entries_of_query(connection: Connection, digest: str, *, now: float) -> None:
    """Mark what is cached of a stored query as deleted."""
    _mark_deleted(connection, (cache_entries.c.image == digest) & cache_entries.c.is_query.is_(True), now=now)


def sums(connection: Connection) -> tuple[int, int]:
    """Return how many bytes the entries of items take, and how many entries they are."""
    row = connection.execute(select(cache_sums.c.bytes, cache_sums.c.entries).where(cache_sums.c.id == 1)).first()
    return (0, 0) if row is None else (row.bytes, row.entries)


def _mark_deleted(connection: Connection, which: ColumnElement[bool], *, now: float) -> int:
    rows = select(cache_entries.c.location, cache_entries.c.bytes, cache_entries.c.is_query).where(which, IS_ENTRY_LIVE)
    found = connection.execute(rows.order_by(cache_entries.c.location).with_for_update()).all()
    locations = [row.location for row in found]
    if not locations:
        return 0
    changes = {"delete_time": now, "is_purged": False, "warming": None, "bytes": 0, "done": 0, "is_whole": False}
    connection.execute(update(cache_entries).where(cache_entries.c.location.in_(locations)).values(changes))
    for table in (cache_chunks, cache_subscribers):
        connection.execute(delete(table).where(table.c.location.in_(locations)))
    counted = [row.bytes for row in found if row.bytes and not row.is_query]
    if counted:
        _add(connection, -sum(counted), -len(counted))
    return sum(counted)


def _add(connection: Connection, size_bytes: int, entries: int) -> None:
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    put = engine.insert(cache_sums).values(id=1, bytes=size_bytes, entries=entries)
    changes = {"bytes": cache_sums.c.bytes + size_bytes, "entries": cache_sums.c.entries + entries}
    connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=changes))


def _lock_image(connection: Connection, image: str, *, is_query: bool) -> None:
    if is_query:
        statement = select(literal(1)).where(queries.c.digest == image, IS_QUERY_LIVE).with_for_update(read=True)
    else:
        statement = (
            select(literal(1))
            .select_from(items.join(archives, archives.c.creation == items.c.creation))
            .where(items.c.image == image, IS_RECORDED, HAS_NO_TOMBSTONE, archives.c.delete_time.is_(None))
            .limit(1)
            .with_for_update(read=True, of=items)
        )
    if connection.execute(statement).first() is None:
        raise ItemNotFoundError("the image is not kept any more", field="item", metadata={"image": image})
