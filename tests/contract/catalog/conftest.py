"""Every test of this folder runs on both engines."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.postgresql import PostgresqlServer, postgresql_server
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database

Open = Callable[..., Catalog]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that is not there yet, or empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def open_catalog(url: str) -> Iterator[Open]:
    """Open another connection to the same catalog, as another process would."""
    opened: list[Catalog] = []

    def open_one(*, create: bool = True) -> Catalog:
        opened.append(Catalog(Database(url, create=create)))
        return opened[-1]

    yield open_one
    for catalog in opened:
        catalog.database.close()


@pytest.fixture
def catalog(open_catalog: Open) -> Catalog:
    return open_catalog()
