"""How many items each archive holds, known without counting: triggers follow every change of an item's row.

SQLite has one writer at a time, so its triggers change the count itself. On PostgreSQL writers would wait for each
other's commits at that row: there they leave a row of their own for each change, and whoever reads many folds them.
"""

from sqlalchemy import DDL, BigInteger, Column, Connection, Index, Integer, Table, delete, event, func, select
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.catalog.tables import STRING, metadata

MANY = 1_000
"""So many changes are worth folding; fewer are added up by each reader."""
FOLDED_AT_ONCE = 20_000

item_counts = Table(
    "item_counts",
    metadata,
    Column("creation", STRING, primary_key=True),
    Column("live", BigInteger, nullable=False),
)
item_changes = Table(
    "item_count_changes",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("creation", STRING, nullable=False),
    Column("change", Integer, nullable=False),
)
Index("item_count_changes_creation", item_changes.c.creation, item_changes.c.id)

WAS_LIVE = "OLD.document IS NOT NULL AND OLD.delete_time IS NULL"
IS_LIVE = "NEW.document IS NOT NULL AND NEW.delete_time IS NULL"
# Name, what it follows, when it counts, the archive, and by how much.
TRIGGERS = (
    ("added", "INSERT", IS_LIVE, "NEW", 1),
    ("restored", "UPDATE", f"({IS_LIVE}) AND NOT ({WAS_LIVE})", "NEW", 1),
    ("removed", "UPDATE", f"({WAS_LIVE}) AND NOT ({IS_LIVE})", "OLD", -1),
    ("purged", "DELETE", WAS_LIVE, "OLD", -1),
)
ON_SQLITE = """
    CREATE TRIGGER items_{name} AFTER {change} ON items WHEN {condition} BEGIN
        INSERT INTO item_counts (creation, live) VALUES ({row}.creation, {by})
        ON CONFLICT (creation) DO UPDATE SET live = live + {by};
    END
"""
FUNCTION_ON_POSTGRESQL = """
    CREATE FUNCTION items_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO item_count_changes (creation, change) VALUES ({row}.creation, {by});
        RETURN NULL;
    END $$
"""
ON_POSTGRESQL = """
    CREATE TRIGGER items_{name} AFTER {change} ON items FOR EACH ROW WHEN ({condition})
    EXECUTE FUNCTION items_{name}()
"""
for _name, _change, _condition, _row, _by in TRIGGERS:
    for _engine, _text in (
        ("sqlite", ON_SQLITE),
        ("postgresql", FUNCTION_ON_POSTGRESQL),
        ("postgresql", ON_POSTGRESQL),
    ):
        _made = _text.format(name=_name, change=_change, condition=_condition, row=_row, by=_by)
        event.listen(metadata, "after_create", DDL(_made).execute_if(dialect=_engine))  # type: ignore[no-untyped-call]


def count_items(connection: Connection, creation: str) -> tuple[int, int]:
    """Return how many items an archive holds that are not deleted, and how many changes are not folded yet."""
    counted = select(item_counts.c.live).where(item_counts.c.creation == creation).scalar_subquery()
    changes = select(counted, func.coalesce(func.sum(item_changes.c.change), 0), func.count())
    base, change, pending = connection.execute(changes.where(item_changes.c.creation == creation)).one()
    return (base or 0) + int(change), pending


def fold_changes(connection: Connection, creation: str) -> None:
    """Add some changes to an archive's count: what is deleted is what is added, whoever else is at it."""
    some = select(item_changes.c.id).where(item_changes.c.creation == creation).order_by(item_changes.c.id)
    folded = (
        delete(item_changes).where(item_changes.c.id.in_(some.limit(FOLDED_AT_ONCE))).returning(item_changes.c.change)
    )
    change = sum(connection.execute(folded).scalars())
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = engine.insert(item_counts).values(creation=creation, live=change)
    added = {"live": item_counts.c.live + new.excluded.live}
    connection.execute(new.on_conflict_do_update(index_elements=["creation"], set_=added))


def forget_counts(connection: Connection, creation: str) -> None:
    """Delete the count of an archive whose items are gone."""
    for table in (item_changes, item_counts):
        connection.execute(delete(table).where(table.c.creation == creation))
