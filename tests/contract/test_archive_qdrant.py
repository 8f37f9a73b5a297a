"""What only the server store promises: its errors are ours, its secrets stay in, and writers may be many."""

import logging
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from qdrant_client import models

from support.archive_oracle import binding_of, creation_of, lattice_embedding, random_items
from support.qdrant_server import QdrantServer
from xmirad.archive.conditions import PayloadField
from xmirad.archive.port import StoredItem
from xmirad.archive.qdrant import QdrantStore
from xmirad.errors import ArchiveNotFoundError, ArchiveNotReadyError, BackendUnavailableError, InternalError

BINDING = binding_of()
NAME = f"xmirad_covidx_{BINDING.creation}_dddddddddddd"
API_KEY = "a-secret-key"


@pytest.fixture
def server() -> Iterator[QdrantServer]:
    with QdrantServer() as started:
        yield started


@pytest.fixture
def store(server: QdrantServer) -> Iterator[QdrantStore]:
    opened = QdrantStore(server.url, timeout_seconds=1)
    yield opened
    opened.close()


@pytest.fixture
def items() -> list[StoredItem]:
    return random_items(np.random.default_rng(8), 30)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, BackendUnavailableError),
        (grpc.StatusCode.INTERNAL, BackendUnavailableError),
        (grpc.StatusCode.UNAUTHENTICATED, BackendUnavailableError),
        (grpc.StatusCode.PERMISSION_DENIED, BackendUnavailableError),
        (grpc.StatusCode.NOT_FOUND, ArchiveNotFoundError),
        (grpc.StatusCode.INVALID_ARGUMENT, InternalError),
        (grpc.StatusCode.UNIMPLEMENTED, InternalError),
    ],
)
def test_every_status_of_the_server_becomes_an_error_of_ours(
    server: QdrantServer, store: QdrantStore, items: list[StoredItem], status: grpc.StatusCode, error: type[Exception]
) -> None:
    archive = store.create(BINDING)
    embedding = lattice_embedding(np.random.default_rng(0))
    ids = [item.item for item in items]
    calls = (
        lambda: archive.upsert(items),
        lambda: archive.query(embedding, top_k=3),
        lambda: archive.get(ids),
        lambda: archive.scan(after=None, limit=3),
        lambda: archive.delete(ids),
        archive.count,
    )
    for call in calls:
        server.gate.faults.append(status)
        with pytest.raises(error) as caught:
            call()
        assert type(caught.value) is error
        assert "injected" not in str(caught.value)
    archive.upsert(items)
    assert archive.count() == len(items)


def test_an_unavailable_server_is_named_with_a_time_to_try_again(server: QdrantServer, store: QdrantStore) -> None:
    server.gate.faults.append(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(BackendUnavailableError) as caught:
        store.ping()
    assert caught.value.metadata == {"backend": "qdrant", "status": "UNAVAILABLE"}
    assert caught.value.retry_delay_seconds == 1.0


def test_a_slow_server_is_given_up_on_after_the_timeout(server: QdrantServer, store: QdrantStore) -> None:
    server.gate.delay_seconds = 1.5
    begin = time.perf_counter()
    with pytest.raises(BackendUnavailableError) as caught:
        store.ping()
    assert 0.9 < time.perf_counter() - begin < 1.4
    assert caught.value.metadata["status"] == "DEADLINE_EXCEEDED"


def test_no_server_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    store = QdrantStore(f"http://127.0.0.1:{port}", timeout_seconds=5)
    with pytest.raises(BackendUnavailableError):
        store.create(BINDING)
    store.close()


def test_a_wrong_api_key_is_refused_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with QdrantServer(api_key=API_KEY) as server, caplog.at_level(logging.DEBUG):
        right, wrong = QdrantStore(server.url, api_key=API_KEY), QdrantStore(server.url, api_key="wrong-secret")
        assert right.create(BINDING).count() == 0
        with pytest.raises(BackendUnavailableError) as caught:
            wrong.list()
        right.close()
        wrong.close()
    assert "credentials" in caught.value.message
    shown = caught.value.message + repr(caught.value.metadata) + repr(caught.value.__cause__) + caplog.text
    assert "qdrant.api_key_unencrypted" in caplog.text
    assert "secret" not in shown


def test_the_collection_is_made_as_designed(server: QdrantServer, store: QdrantStore) -> None:
    store.create(BINDING)
    collections = [each.name for each in server.local.get_collections().collections]
    assert collections == [NAME]
    info = store._client.get_collection(NAME)
    assert info.config.metadata == {
        "archive": "covidx",
        "creation": BINDING.creation,
        "model_digest": "d" * 64,
        "embedding_size": BINDING.embedding_size,
        "site_key_fingerprint": "f" * 16,
    }
    kinds = {field: schema.data_type.value for field, schema in info.payload_schema.items()}
    assert kinds.pop("year") == kinds.pop("age_band") == "integer"
    assert kinds.pop("synthetic") == kinds.pop("patient_known") == "bool"
    assert set(kinds.values()) == {"keyword"}
    assert {"site", "patient", "image_digest", "labels", "sex"} <= set(kinds)
    assert isinstance(info.payload_schema["site"].params, models.KeywordIndexParams)
    assert info.payload_schema["site"].params.is_tenant


def test_a_collection_that_does_not_say_what_it_is_bound_to_is_refused(
    server: QdrantServer, store: QdrantStore
) -> None:
    store.create(BINDING)
    server.collections.created[NAME].metadata.clear()
    with pytest.raises(ArchiveNotReadyError):
        store.open(BINDING)


def test_other_collections_of_the_server_are_left_alone(server: QdrantServer, store: QdrantStore) -> None:
    store.create(BINDING)
    store.create(binding_of("covidx-2"))
    foreign = QdrantStore(server.url)._client
    foreign.create_collection("billing", vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
    store.reset(BINDING)
    store.drop("covidx", BINDING.creation)
    assert store.list() == [creation_of("covidx-2")]
    names = {each.name for each in server.local.get_collections().collections}
    assert names == {"billing", f"xmirad_covidx-2_{creation_of('covidx-2')}_dddddddddddd"}
    foreign.close()


def test_a_creation_that_died_before_its_fields_were_indexed_is_finished(
    server: QdrantServer, store: QdrantStore
) -> None:
    store.create(BINDING)
    server.collections.schemas[NAME].clear()
    assert store.open(BINDING).count() == 0
    assert set(server.collections.schemas[NAME]) == set(PayloadField)


def test_many_threads_write_and_read_without_loss(store: QdrantStore) -> None:
    archive = store.create(BINDING)

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(5):
            batch = random_items(random, 10)
            archive.upsert(batch)
            archive.query(lattice_embedding(random), top_k=3)
            archive.delete([batch[0].item])

    with ThreadPoolExecutor(6) as executor:
        list(executor.map(work, range(6)))
    assert archive.count() == 6 * 5 * 9


def test_a_batch_larger_than_a_message_is_sent_in_parts(server: QdrantServer, store: QdrantStore) -> None:
    archive = store.create(BINDING)
    archive.upsert(random_items(np.random.default_rng(3), 600))
    assert archive.count() == 600
    assert server.gate.calls.count("/qdrant.Points/Upsert") == 3


def test_deprecated_searches_are_never_called(
    server: QdrantServer, store: QdrantStore, items: list[StoredItem]
) -> None:
    archive = store.create(BINDING)
    archive.upsert(items)
    archive.query(lattice_embedding(np.random.default_rng(0)), top_k=3, exact=True)
    assert "/qdrant.Points/Query" in server.gate.calls
    assert not [call for call in server.gate.calls if "Search" in call or "Recommend" in call]


def test_tls_with_a_client_certificate_reaches_the_server_and_without_it_does_not(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path)
    credentials = grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=certificate, require_client_auth=True
    )
    options: dict[str, str | int | bytes] = {"root_certificates": certificate}
    with QdrantServer(credentials=credentials) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        trusted = QdrantStore(
            url, grpc_options=options | {"private_key": key, "certificate_chain": certificate}, timeout_seconds=5
        )
        assert trusted.create(BINDING).count() == 0
        trusted.close()
        for refused in (options, {}):
            store = QdrantStore(url, grpc_options=refused, timeout_seconds=5)
            with pytest.raises(BackendUnavailableError):
                store.ping()
            store.close()


def make_certificate(folder: Path) -> tuple[bytes, bytes]:
    """Return key and certificate of `localhost`, signed by itself."""
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=60
    )
    return key.read_bytes(), certificate.read_bytes()
