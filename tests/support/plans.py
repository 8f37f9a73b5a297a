"""What a database does to carry statements out: none may read a whole table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text

from xmirad.catalog.database import Database

NO_TABLES = ("index", "subquery", "values clause", "constant row")
PLANNED = ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")


def assert_no_scan(database: Database, work: Callable[[], object]) -> None:
    """Run work, then ask for the plan of each of its statements."""
    with statements_of(database) as found:
        work()
    looked_at = [(statement, values) for statement, values in found if statement.startswith(PLANNED)]
    assert looked_at
    for statement, values in looked_at:
        plan = database.read(lambda connection, s=statement, v=values: plan_of(connection, s, v))  # type: ignore[misc]
        assert not scans_of_tables(plan), plan


@contextmanager
def statements_of(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect what is executed meanwhile, as the driver gets it."""
    engine, found = database._opened(), []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: object) -> None:  # noqa: ANN401
        found.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def plan_of(connection: Connection, statement: str, values: Any) -> list[str]:  # noqa: ANN401
    """Return the lines of a statement's plan."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        return [str(row[-1]) for row in rows]
    connection.execute(text("SET LOCAL enable_seqscan = off"))  # so few rows are read at once otherwise
    return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values).all()]


def scans_of_tables(plan: list[str]) -> list[str]:
    """Return the lines of a plan that read a table without an index; an index may be read in its order."""
    return [
        line
        for line in plan
        if "Seq Scan" in line or (line.startswith("SCAN") and not any(word in line.lower() for word in NO_TABLES))
    ]
