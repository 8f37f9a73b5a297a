"""The service is killed after a statement of a request that has an id; the request is sent again afterwards."""

import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from support.live_service import LiveService, live_service
from support.pictures import png
from support.raw_service import RawService
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import ArchiveNotFoundError, ItemNotFoundError

pytestmark = pytest.mark.slow
ARCHIVE = "killed"
STATEMENTS = (1, 2, 3)
"""Begin the request; then, in one transaction, delete and complete the request."""


def stored(client: Client) -> str:
    client.create_archive(ARCHIVE)
    return client.create_item(ARCHIVE, Upload(png(1), external_id="image")).item


def killed(service: LiveService, count: int, send: Callable[[RawService], object]) -> None:
    """Send a request to a service that is killed after a statement of it."""
    begun = service.home / "begun"
    service.start(XMIRAD_FAILPOINT=f"after_statement:{count}@{begun}").close()
    begun.touch()
    with RawService(service.address) as raw, pytest.raises(grpc.RpcError):
        send(raw)
    assert service.wait() == -signal.SIGKILL


@pytest.mark.parametrize("count", STATEMENTS)
def test_an_archive_that_was_made_again_outlives_the_repeated_deletion(tmp_path: Path, count: int) -> None:
    request = pb.DeleteArchiveRequest(name=f"archives/{ARCHIVE}", force=True, request_id=str(uuid4()))
    with live_service(tmp_path / "home") as service:
        with service.start() as client:
            stored(client)
        service.stop()

        killed(service, count, lambda raw: raw.archives.DeleteArchive(request))

        with service.start() as client, RawService(service.address) as raw:
            try:
                client.get_archive(ARCHIVE)
                was_deleted = False
            except ArchiveNotFoundError:
                was_deleted = True
                client.create_archive(ARCHIVE)
            raw.archives.DeleteArchive(request)  # no NOT_FOUND
            if was_deleted:
                assert client.get_archive(ARCHIVE).item_count == 0
            else:
                with pytest.raises(ArchiveNotFoundError):
                    client.get_archive(ARCHIVE)


@pytest.mark.parametrize("count", STATEMENTS[1:])
def test_an_item_is_gone_once_its_deletion_was_repeated(tmp_path: Path, count: int) -> None:
    with live_service(tmp_path / "home") as service:
        with service.start() as client:
            item = stored(client)
        service.stop()
        request = pb.DeleteItemRequest(name=item, request_id=str(uuid4()))

        killed(service, count, lambda raw: raw.archives.DeleteItem(request))

        with service.start() as client, RawService(service.address) as raw:
            raw.archives.DeleteItem(request)
            with pytest.raises(ItemNotFoundError):
                client.get_item(item)
