"""A fake service, a client of it, and an archive with items."""

from collections.abc import Iterator

import pytest

from support.fake_service import FakeService, fake_service
from support.uploads import picture
from xmirad.client import Client, Upload
from xmirad.types import ItemAttributes, Patient, Sex


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as service:
        yield service


@pytest.fixture
def client(service: FakeService) -> Iterator[Client]:
    with Client(service.address, timeout_seconds=10) as client:
        yield client


@pytest.fixture
def archive(client: Client) -> str:
    """Return the id of an archive without items."""
    return client.create_archive("covidx").archive


@pytest.fixture
def names(client: Client, archive: str) -> list[str]:
    """Eight items of the archive: two labels, four patients."""
    receipts = [
        client.create_item(
            archive,
            Upload(
                picture(number),
                external_id=f"x{number}",
                attributes=ItemAttributes(labels=("a", "b")[number % 2 :][:1], dataset="d", sex=Sex.MALE, year=2020),
                patient=Patient(f"p{number // 2}", issuer="hospital"),
            ),
        )
        for number in range(8)
    ]
    return [receipt.item for receipt in receipts]
