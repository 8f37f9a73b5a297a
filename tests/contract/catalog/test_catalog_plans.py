"""Every list and every look-up goes by an index: no statement reads a whole table."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from support.records import archive_record, item_record
from xmirad.catalog.catalog import Catalog

CHEST = archive_record()
ITEMS = [item_record(number) for number in range(40)]
IDS = [record.item for record in ITEMS[:3]]
IMAGES = [record.image for record in ITEMS[:3]]

READS: dict[str, Callable[[Catalog], Any]] = {
    "archive by name": lambda catalog: catalog.archive("chest"),
    "archives": lambda catalog: catalog.archives(),
    "deleted archives": lambda catalog: catalog.deleted_archives(),
    "an archive that is only deleted": lambda catalog: catalog.is_only_deleted("chest"),
    "calibration": lambda catalog: catalog.calibration(CHEST),
    "item": lambda catalog: catalog.item("chest", IDS[0]),
    "some items": lambda catalog: catalog.find_items("chest", IDS),
    "item's state": lambda catalog: catalog.item_state(CHEST, IDS[0]),
    "items": lambda catalog: list(catalog.items(CHEST)),
    "has items": lambda catalog: catalog.has_items(CHEST),
    "half-deleted items": lambda catalog: list(catalog.half_deleted(CHEST)),
    "references": lambda catalog: catalog.references(CHEST, IDS),
    "all references": lambda catalog: list(catalog.all_references(CHEST.creation)),
    "images in use": lambda catalog: catalog.images_in_use(IMAGES),
    "files to keep": lambda catalog: catalog.files_to_keep(IMAGES),
    "digests in use": lambda catalog: catalog.digests_in_use(IMAGES),
    "forgetting items": lambda catalog: catalog.forget_items(CHEST, IDS),
    "deleting an archive": lambda catalog: catalog.delete_archive(CHEST),
    "forgetting an archive": lambda catalog: catalog.forget_archive(CHEST.creation),
}


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.create_archive(CHEST)
    for record in ITEMS:
        catalog.put_item(record)
    catalog.add_tombstones(CHEST, IDS)
    return catalog


@pytest.mark.parametrize("name", READS)
def test_nothing_reads_a_whole_table(filled: Catalog, name: str) -> None:
    with statements_of(filled) as found:
        READS[name](filled)
    looked_at = [
        (statement, values) for statement, values in found if statement.startswith(("SELECT", "UPDATE", "DELETE"))
    ]
    assert looked_at
    for statement, values in looked_at:
        plan = filled.database.read(lambda connection, s=statement, v=values: plan_of(connection, s, v))  # type: ignore[misc]
        assert not scans_a_table(plan), plan


class statements_of:
    """Collects what is executed meanwhile, as the driver gets it."""

    def __init__(self, catalog: Catalog) -> None:
        self._engine = catalog.database._opened()
        self._found: list[tuple[str, Any]] = []

    def __enter__(self) -> list[tuple[str, Any]]:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self._found

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, values: Any, *_: object) -> None:  # noqa: ANN401
        self._found.append((statement, values))


def plan_of(connection: Connection, statement: str, values: Any) -> list[str]:  # noqa: ANN401
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        return [str(row[-1]) for row in rows]
    connection.execute(text("SET LOCAL enable_seqscan = off"))  # so few rows are read at once otherwise
    return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values).all()]


def scans_a_table(plan: list[str]) -> Iterator[str] | list[str]:
    """Return the lines of a plan that read a table without an index; an index may be read in its order."""
    return [
        line
        for line in plan
        if "Seq Scan" in line or (line.startswith("SCAN") and "INDEX" not in line and "subquery" not in line.lower())
    ]
