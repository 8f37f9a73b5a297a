"""Every test of this folder runs on both engines."""

from collections.abc import Callable, Iterator

import pytest

from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database

Open = Callable[..., Catalog]


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


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
