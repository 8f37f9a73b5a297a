"""The service with its items in a Qdrant server: the same answers, and what happens while the server is away."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.live_service import LiveService, live_service
from support.pictures import png
from support.qdrant_process import QdrantProcess, qdrant_process
from support.raw_service import RawService, assert_tells_no_internals, refusal
from support.sample_items import COPY_OF, SAMPLES, SlowSearch, samples, store_samples
from xmirad.api.v1 import resources_pb2 as resources
from xmirad.api.v1 import retrieval_service_pb2 as retrieval
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import ArchiveNotFoundError, ArchiveRebuildingError, BackendUnavailableError, ItemNotFoundError
from xmirad.types import ItemFilter, Patient, PatientPolicy

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
HEALTH_SECONDS = 10.0
RECOVERY_SECONDS = 20.0
TIMEOUT_SECONDS = 2.0
ARCHIVE = "remote"


@pytest.fixture(scope="module")
def qdrant() -> Iterator[QdrantProcess]:
    with qdrant_process() as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, qdrant: QdrantProcess) -> Iterator[LiveService]:
    folder = tmp_path_factory.mktemp("qdrant")
    with remote_service(folder, qdrant) as live:
        live.start().close()
        yield live


def remote_service(folder: Path, qdrant: QdrantProcess) -> AbstractContextManager[LiveService]:
    """Return a service on that server, with a site key of its own."""
    key = folder / "site.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    return live_service(
        folder / "home",
        XMIRAD_STORE__KIND="qdrant",
        XMIRAD_STORE__URL=qdrant.url,
        XMIRAD_STORE__TIMEOUT_SECONDS=str(TIMEOUT_SECONDS),
        XMIRAD_SITE_KEY_FILE=str(key),
    )


@pytest.fixture
def client(service: LiveService) -> Iterator[Client]:
    with Client(service.address) as connected:
        yield connected


def health(service: LiveService) -> int:
    with grpc.insecure_channel(service.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(service="xmirad.v1.RetrievalService")).status)


def eventually(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_items_in_a_server_are_searched_changed_and_deleted_like_embedded_ones(client: Client) -> None:
    names = store_samples(client, ARCHIVE)
    embeddings = {sample.number: client.embed_image(sample.image).embedding for sample in samples()}
    slow = SlowSearch(names, embeddings)
    assert client.server_info().vector_store == "qdrant"
    for source in (png(3), names[3], embeddings[3]):
        response = client.search(ARCHIVE, source, top_k=SAMPLES, exact=True)
        expected = slow.ranking(embeddings[3])
        assert [result.item for result in response.results] == [name for name, _ in expected]
        np.testing.assert_allclose(
            [result.score for result in response.results], [score for _, score in expected], atol=1e-5
        )
    filtered = client.search(ARCHIVE, names[0], top_k=SAMPLES, filter=ItemFilter(labels=("covid",)))
    assert filtered.searched_items == sum("covid" in sample.attributes.labels for sample in samples())
    excluded = client.search(ARCHIVE, png(3), top_k=SAMPLES, exclude_query_item=True)
    assert excluded.searched_items == SAMPLES - 1 - len(COPY_OF)
    others = client.search(ARCHIVE, names[6], top_k=SAMPLES, patient_policy=PatientPolicy.EXCLUDE)
    assert others.searched_items == sum(sample.patient != Patient("P1", "clinic") for sample in samples())
    client.delete_item(names[0])
    with pytest.raises(ItemNotFoundError):
        client.get_item(names[0])
    assert client.get_archive(ARCHIVE).item_count == SAMPLES - 1
    client.delete_archive(ARCHIVE, force=True)
    with pytest.raises(ArchiveNotFoundError):
        client.get_archive(ARCHIVE)


def test_a_server_that_is_away_from_the_start_or_later_is_told_and_found_again(tmp_path: Path) -> None:
    with qdrant_process() as qdrant, remote_service(tmp_path, qdrant) as service:
        qdrant.stop()
        with service.start() as client:
            assert eventually(lambda: health(service) == NOT_SERVING, seconds=HEALTH_SECONDS)
            with pytest.raises(BackendUnavailableError):
                client.create_archive("away")
            qdrant.start()
            assert eventually(lambda: health(service) == SERVING, seconds=RECOVERY_SECONDS)
            client.create_archive("away")
            client.create_item("away", Upload(png(1)))
            qdrant.stop()
            assert_search_is_refused(service, qdrant)
            outcome = next(client.upload("away", [Upload(png(2), correlation_id="1")]))
            assert outcome.receipt is not None
            assert not outcome.receipt.is_indexed
            assert eventually(lambda: health(service) == NOT_SERVING, seconds=HEALTH_SECONDS)
            qdrant.start()
            assert eventually(lambda: health(service) == SERVING, seconds=RECOVERY_SECONDS)
            # It came back empty, and is filled again from the catalog, with the upload that it has never seen.
            assert eventually(lambda: found_by(client) == 2, seconds=RECOVERY_SECONDS)
            client.create_archive("anew")
            item = client.create_item("anew", Upload(png(1))).item
            assert client.search("anew", png(1)).results[0].item == item
        log = service.log.read_text()
        assert any("service.health_changed" in line and '"backend": "qdrant"' in line for line in log.splitlines())
        assert "Traceback" not in log
        assert service.stop() == 0


def found_by(client: Client) -> int:
    try:
        return len(client.search("away", png(1)).results)
    except (ArchiveRebuildingError, BackendUnavailableError):
        return 0


def assert_search_is_refused(service: LiveService, qdrant: QdrantProcess) -> None:
    request = retrieval.SearchRequest(archive="archives/away", top_k=1, image=resources.Image(data=png(1).data))
    with RawService(service.address) as raw:
        failed = refusal(raw.retrieval.Search, request)
    assert isinstance(failed.error, BackendUnavailableError)
    assert failed.seconds < 5.0
    assert failed.details["ErrorInfo"].metadata["backend"] == "qdrant"
    assert "RetryInfo" in failed.details
    assert_tells_no_internals(failed.domain_error, qdrant.url, qdrant.port)


def test_a_server_that_hangs_fails_the_call_in_time_and_all_goes_on_when_it_answers(
    service: LiveService, client: Client, qdrant: QdrantProcess
) -> None:
    client.create_archive("hanging")
    client.create_item("hanging", Upload(png(1)))
    qdrant.pause()
    try:
        begin = time.monotonic()
        request = retrieval.SearchRequest(archive="archives/hanging", top_k=1, image=resources.Image(data=png(1).data))
        with RawService(service.address) as raw:
            failed = refusal(raw.retrieval.Search, request)
        assert isinstance(failed.error, BackendUnavailableError)
        assert time.monotonic() - begin < TIMEOUT_SECONDS + 3.0
    finally:
        qdrant.resume()
    assert eventually(lambda: bool(client.search("hanging", png(1)).results), seconds=RECOVERY_SECONDS)
