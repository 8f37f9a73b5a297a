"""Leases: one process at a time does a work, as long as it says so, and knows when another one took over.

A lease that is taken over gets the next epoch. A holder that was paused may wake up after that, so whatever it writes
under a lease it writes in a transaction that calls `still_holds` first: until that transaction ends nobody takes over.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog.clock import clock_id, now_ms
from xmirad.catalog.database import Database
from xmirad.catalog.tables import leases

HELD = (
    select(leases.c.epoch)
    .where(
        leases.c.name == bindparam("name"), leases.c.holder == bindparam("holder"), leases.c.epoch == bindparam("epoch")
    )
    .with_for_update(read=True)
)


@dataclass(frozen=True, slots=True)
class Lease:
    """What a holder keeps of its lease.

    Attributes:
        name: Of the work.
        holder: Random id of the process.
        epoch: Grows whenever another one takes the lease over; never restarts.
    """

    name: str
    holder: str
    epoch: int


class Leases:
    """Takes leases. Every method raises `BackendUnavailableError` if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        """Keep them in a database."""
        self._database = database

    def claim(self, name: str, holder: str, *, seconds: float) -> Lease | None:
        """Take a lease that is free or has expired, or renew one's own; None if another one holds it.

        Args:
            name: Of the work.
            holder: Random id of this process.
            seconds: How long it is held from now on, unless it is renewed.
        """
        return self._database.write(lambda connection: claim(connection, name, holder, seconds=seconds))

    def release(self, lease: Lease) -> None:
        """Let others have it at once, unless they have it already."""
        self._database.write(lambda connection: release(connection, lease))


def claim(connection: Connection, name: str, holder: str, *, seconds: float) -> Lease | None:
    """Take or renew a lease in one statement; None if another one holds it."""
    now, clock = now_ms(connection), clock_id(connection)
    duration = round(seconds * 1_000)
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"name": name, "holder": holder, "epoch": 1, "clock": clock, "expiry_ms": now + duration}
    # The time is asked for again once the row is locked: waiting for it must not shorten the lease.
    is_mine: ColumnElement[bool] = leases.c.holder == holder
    changes = {
        "holder": holder,
        "epoch": case((is_mine, leases.c.epoch), else_=leases.c.epoch + 1),
        "clock": clock,
        "expiry_ms": now + duration,
    }
    is_free = is_mine | (leases.c.expiry_ms <= now) | (leases.c.clock != clock)
    taken = (
        engine.insert(leases).values(values).on_conflict_do_update(index_elements=["name"], set_=changes, where=is_free)
    )
    epoch = connection.execute(taken.returning(leases.c.epoch)).scalar_one_or_none()
    return None if epoch is None else Lease(name, holder, epoch)


def still_holds(connection: Connection, lease: Lease) -> bool:
    """Return whether nobody has taken a lease over; if so, nobody does until the transaction ends."""
    values = {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch}
    return connection.execute(HELD, values).first() is not None


def release(connection: Connection, lease: Lease) -> None:
    """Let others have a lease at once; its row stays, because the epoch goes on from there."""
    mine = (leases.c.name == lease.name) & (leases.c.holder == lease.holder) & (leases.c.epoch == lease.epoch)
    connection.execute(update(leases).where(mine).values(expiry_ms=0))
