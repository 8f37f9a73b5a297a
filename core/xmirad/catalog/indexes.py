"""Statements on indexes: what each archive's part in the vector store is good for. Each takes a connection."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from xmirad.catalog.database import Database
from xmirad.catalog.records import ArchiveRecord, IndexProgress, IndexState
from xmirad.catalog.tables import archives, indexes

PROGRESS = select(indexes.c.state, indexes.c.done, indexes.c.total).where(indexes.c.creation == bindparam("creation"))
# The constant stands in the statement itself, as in the partial index: PostgreSQL plans before it sees values.
NOT_LIVE = (
    select(indexes.c.creation)
    .join(archives, archives.c.creation == indexes.c.creation)
    .where(indexes.c.is_live.is_(False), archives.c.delete_time.is_(None))
    .order_by(indexes.c.creation)
)
UNFINISHED = NOT_LIVE.where(indexes.c.state != IndexState.OPTIMIZING)
TO_OPTIMIZE = NOT_LIVE.where(indexes.c.state == IndexState.OPTIMIZING)


class Indexes:
    """The indexes of all archives. Every method raises `BackendUnavailableError` if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        """Read and write them in a database."""
        self._database = database

    def progress(self, record: ArchiveRecord) -> IndexProgress:
        """Return how far an archive's index is."""
        return self._database.read(lambda connection: progress(connection, record.creation))

    def unfinished(self) -> Sequence[str]:
        """Return the creations of the archives whose indexes are to be made anew, or are being filled."""
        return self._database.read(lambda connection: connection.execute(UNFINISHED).scalars().all())

    def to_optimize(self) -> Sequence[str]:
        """Return the creations of the archives whose graphs or codes are to be made."""
        return self._database.read(lambda connection: connection.execute(TO_OPTIMIZE).scalars().all())

    def request(self, record: ArchiveRecord) -> None:
        """Ask for an index to be made anew, unless it is being made; whoever applies marks does it."""
        is_whole = indexes.c.state.in_([state for state in IndexState if state.is_whole])
        self._change(record, IndexState.REQUESTED, only_if=is_whole, done=0)

    def report_damage(self, record: ArchiveRecord) -> None:
        """Ask for it because it was found missing or damaged, even while it is being made."""
        self._change(record, IndexState.REQUESTED, done=0)

    def begin(self, record: ArchiveRecord, *, total: int) -> None:
        """Note that an index is being filled with about so many items."""
        self._change(record, IndexState.BUILDING, done=0, total=total)

    def advance(self, record: ArchiveRecord, *, done: int) -> None:
        """Note how many items of those it holds."""
        self._change(record, IndexState.BUILDING, done=done, only_if=indexes.c.state == IndexState.BUILDING)

    def finish(self, record: ArchiveRecord, *, to_optimize: bool) -> None:
        """Note that an index is filled, unless it was asked for anew meanwhile."""
        state = IndexState.OPTIMIZING if to_optimize else IndexState.LIVE
        self._change(record, state, only_if=indexes.c.state == IndexState.BUILDING)

    def finish_optimizing(self, record: ArchiveRecord) -> None:
        """Note that the graph or the codes of an index are made."""
        self._change(record, IndexState.LIVE, only_if=indexes.c.state == IndexState.OPTIMIZING)

    def _change(
        self, record: ArchiveRecord, state: IndexState, *, only_if: ColumnElement[bool] | None = None, **values: int
    ) -> None:
        of_archive = update(indexes).where(indexes.c.creation == record.creation)
        statement = of_archive if only_if is None else of_archive.where(only_if)
        changed = statement.values(state=state, is_live=state is IndexState.LIVE, **values)
        self._database.write(lambda connection: connection.execute(changed))


def progress(connection: Connection, creation: str) -> IndexProgress:
    """Return how far an archive's index is; one of an archive that is gone, or that cannot be read, is to be made."""
    row = connection.execute(PROGRESS, {"creation": creation}).one_or_none()
    if row is None or row.state not in set(IndexState):
        return IndexProgress(IndexState.REQUESTED, 0, 0)
    return IndexProgress(IndexState(row.state), row.done, row.total)
