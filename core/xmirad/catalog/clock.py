"""The time that all processes of a catalog agree on, which no setting of a clock changes on SQLite.

Of a PostgreSQL server it is that of `clock_timestamp()`: `now()` is when the transaction began, maybe before it waited
for a lock. Processes that share a SQLite file share a machine, hence its time since it was started; times of an earlier
start cannot be compared with it, so `clock_id` is kept beside them.
"""

import time
from pathlib import Path

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, literal

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
POSTGRESQL = "postgresql"


def now_ms(connection: Connection) -> ColumnElement[int]:
    """Return the expression of now, in integer milliseconds."""
    if connection.dialect.name == POSTGRESQL:
        return cast(func.extract("epoch", func.clock_timestamp()) * 1_000, BigInteger)
    return literal(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000, BigInteger)


def wall_ms(connection: Connection) -> ColumnElement[int]:
    """Return the expression of the time of day, in integer milliseconds since 1970: for what people set or read."""
    if connection.dialect.name == POSTGRESQL:
        return now_ms(connection)
    return literal(time.time_ns() // 1_000_000, BigInteger)


def clock_id(connection: Connection) -> str:
    """Return which clock counts the milliseconds: only times of the same one can be compared."""
    if connection.dialect.name == POSTGRESQL:
        return POSTGRESQL
    return BOOT_ID.read_text("ascii").strip()
