"""Statements on rows that are deleted, whose blobs are to be purged: at once, and once more a day later.

The second time finds what a process has written that was paused while the row was deleted. Each takes a connection.
"""

from sqlalchemy import Column, Connection, Table, delete, select, update

from xmirad.catalog.explanation_tables import cache_entries, explanations, queries

Owner = Table
"""Of rows that own blobs."""
AGAIN_SECONDS = 86_400.0
PAGE = 100
OWNERS = (explanations, queries, cache_entries)


def key_of(owner: Owner) -> Column[str]:
    """Return the column that names a row's blobs."""
    [key] = owner.primary_key.columns
    return key


def unpurged(connection: Connection, owner: Owner) -> list[str]:
    """Return some deleted rows that were not purged yet, the oldest first."""
    rows = select(key_of(owner)).where(owner.c.delete_time.is_not(None), owner.c.is_purged.is_(False))
    return list(connection.execute(rows.order_by(owner.c.delete_time).limit(PAGE)).scalars())


def open_again(connection: Connection, owner: Owner, *, now: float) -> None:
    """Have rows purged once more that were deleted a day ago."""
    rows = select(key_of(owner)).where(owner.c.delete_time.is_not(None), owner.c.is_purged.is_(True))
    due = rows.where(owner.c.delete_time <= now - AGAIN_SECONDS).order_by(owner.c.delete_time).limit(PAGE)
    keys = list(connection.execute(due).scalars())
    if not keys:
        return
    is_due = key_of(owner).in_(sorted(keys)), owner.c.delete_time <= now - AGAIN_SECONDS
    connection.execute(update(owner).where(*is_due).values(is_purged=False))


def purged(connection: Connection, owner: Owner, key: str, *, now: float) -> None:
    """Say that nothing is left of a deleted row's blobs; after the second time the row goes."""
    of_row = (key_of(owner) == key, owner.c.delete_time.is_not(None), owner.c.is_purged.is_(False))
    if not connection.execute(delete(owner).where(*of_row, owner.c.delete_time <= now - AGAIN_SECONDS)).rowcount:
        connection.execute(update(owner).where(*of_row).values(is_purged=True))
