"""Rules and fixtures for all tests: no sockets in unit tests, and the folder of real images."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

from support.postgresql import PostgresqlServer, postgresql_server

TESTS = Path(__file__).parent
DATA_VARIABLE = "XMIRAD_TEST_DATA"


@pytest.fixture(autouse=True)
def _unit_tests_open_no_sockets(request: pytest.FixtureRequest) -> None:
    if (TESTS / "unit") in request.path.parents:
        pytest_socket.disable_socket(allow_unix_socket=True)  # event loops wake themselves by a socket pair


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder that holds `covidx/` and `isic2017/` in their original layouts."""
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        pytest.skip(f"{DATA_VARIABLE} is not set: it names the folder with covidx/ and isic2017/")
    folder = Path(value).resolve()
    if not folder.is_dir():
        pytest.fail(f"{DATA_VARIABLE} is set to {value}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that is not there yet, or empty, of one engine after the other."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.new_database()
