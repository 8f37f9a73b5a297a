"""The doctor's look at broker and vector store, each a real server that is set up wrong in one way after the other."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from qdrant_client import grpc as wire

from support.certificates import Authority
from support.live_service import free_port
from support.models import made_up_model
from support.qdrant_server import Health, QdrantServer
from support.silence import silent_ports
from support.valkey import ValkeyServer, valkey_server
from xmirad.archive.conditions import PayloadField
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import binding_of
from xmirad.composition import archive_store, catalog
from xmirad.doctor.broker import check_queue, shown
from xmirad.doctor.findings import Finding, State
from xmirad.doctor.store import check_store
from xmirad.explanations.ports import QueueName
from xmirad.ids import SiteKey
from xmirad.queue.dead_letters import DEAD_LETTERS
from xmirad.queue.status import TAKEN, TAKEN_TIMES
from xmirad.queue.workers import WorkerRoll, worker_name
from xmirad.settings import Settings
from xmirad.settings_sources import load_settings
from xmirad.types import OriginalsPolicy, WorkerKind

SECRET = "planted-secret"
FINGERPRINT = SiteKey(b"k" * 32).fingerprint
ARCHIVE = "chest"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path / "queue") as server:
        yield server


def examined(valkey: ValkeyServer, **queue: object) -> dict[str, Finding]:
    """Return the findings by name, of several the last."""
    settings = load_settings({"home": valkey.home.root / "other", "queue": {"url": valkey.url, **queue}})
    return {finding.name: finding for finding in check_queue(settings)}


def test_a_broker_in_order_without_workers_lacks_nothing_else(valkey: ValkeyServer) -> None:
    found = examined(valkey)
    assert {name for name, finding in found.items() if finding.state is not State.OK} == {"workers"}
    assert found["workers"].state is State.FAILED
    assert "Valkey" in found["broker"].found


def test_workers_are_counted_by_their_signs_of_life(valkey: ValkeyServer) -> None:
    WorkerRoll(valkey.connect()).beat(worker_name(WorkerKind.EXPLAINER))
    assert examined(valkey)["workers"].state is State.OK
    folders = {"home": valkey.home.root / "other", "imports": {"folders": {"scans": valkey.home.root}}}
    settings = load_settings({**folders, "queue": {"url": valkey.url}})
    (found,) = [each for each in check_queue(settings) if each.state is State.WARNING]
    assert "no indexer" in found.found


@pytest.mark.parametrize(
    ("option", "value", "name", "words"),
    [
        ("appendonly", "no", "persistence", "appendonly yes"),
        ("maxmemory-policy", "allkeys-lru", "memory policy", "noeviction"),
        ("maxmemory", "1mb", "memory policy", "maxmemory"),
    ],
)
def test_a_server_that_may_lose_tasks_is_told(
    valkey: ValkeyServer, option: str, value: str, name: str, words: str
) -> None:
    valkey.connect().config_set(option, value)
    found = examined(valkey)[name]
    assert (found.state, words in found.remedy) == (State.FAILED, True)


def test_a_visibility_timeout_that_is_too_short_is_told(valkey: ValkeyServer) -> None:
    found = examined(valkey, visibility_seconds=20.0, task_seconds=12.0)["visibility timeout"]
    assert (found.state, "queue.visibility_seconds" in found.remedy) == (State.FAILED, True)


def test_a_wrong_or_missing_password_is_called_that_and_not_shown(valkey: ValkeyServer, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text(SECRET)
    wrong.chmod(0o600)
    server = valkey.connect()
    server.config_set("requirepass", "the-right-one")
    try:
        settings = load_settings(
            {"home": tmp_path, "queue": {"url": valkey.url.replace("unix://", f"unix://:{SECRET}@")}}
        )
        for found in (
            {finding.name: finding for finding in check_queue(settings)},
            examined(valkey),
        ):
            assert found["broker"].state is State.FAILED
            assert "refuses the password" in found["broker"].found
            assert "queue.password_file" in found["broker"].remedy
            assert found["workers"].state is State.SKIPPED
            assert SECRET not in str(found)
    finally:
        server.execute_command("AUTH", "the-right-one")
        server.config_set("requirepass", "")


def test_a_broker_that_is_gone_is_told_with_its_address(valkey: ValkeyServer) -> None:
    valkey.kill()
    found = examined(valkey)
    assert found["broker"].state is State.FAILED
    assert valkey.socket in found["broker"].found
    assert "queue.url" in found["broker"].remedy


def test_a_broker_that_never_answers_is_told_with_its_address(tmp_path: Path) -> None:
    with silent_ports(1) as (port,):
        settings = load_settings({"home": tmp_path, "queue": {"url": f"redis://:{SECRET}@127.0.0.1:{port}/0"}})
        found = {finding.name: finding for finding in check_queue(settings)}
    assert (found["broker"].state, f"127.0.0.1:{port}" in found["broker"].found) == (State.FAILED, True)
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"redis://user:{SECRET}@host:7000/0?x={SECRET}", "redis://host:7000"),
        (f"rediss://:{SECRET}@host", "rediss://host:6379"),
        (f"unix://:{SECRET}@/run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_urls_are_shown_without_credentials(url: str, place: str) -> None:
    assert shown(url) == place


def _waits(valkey: ValkeyServer) -> None:
    message = json.dumps({"headers": {"published": time.time() - 61}})
    valkey.connect().lpush(QueueName.INTERACTIVE, message)


def _taken(valkey: ValkeyServer) -> None:
    server = valkey.connect()
    server.hset(TAKEN, "tag", "task")
    server.zadd(TAKEN_TIMES, {"tag": time.time() - 121})


def _given_up(valkey: ValkeyServer) -> None:
    valkey.connect().hset(DEAD_LETTERS, "key", "{}")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(_waits, "has waited for 61 s"), (_taken, "has had a task for 121 s"), (_given_up, "1 tasks were given up")],
)
def test_a_queue_that_does_not_move_is_told(
    valkey: ValkeyServer, spoil: Callable[[ValkeyServer], None], words: str
) -> None:
    spoil(valkey)
    found = examined(valkey)["queue"]
    assert (found.state, words in found.found) == (State.WARNING, True)
    assert found.remedy


@pytest.fixture
def qdrant() -> Iterator[QdrantServer]:
    with QdrantServer(api_key=SECRET) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, qdrant: QdrantServer) -> Settings:
    store = {"kind": "qdrant", "url": qdrant.url, "api_key": SECRET}
    return load_settings({"home": tmp_path / "home", "models_dir": tmp_path / "models", "store": store})


@pytest.fixture
def record(settings: Settings) -> ArchiveRecord:
    """An archive on the server and its record."""
    model = made_up_model(settings.models_dir)
    made = ArchiveRecord(
        creation="c" * 32,
        archive=ARCHIVE,
        site="local",
        model=model.digest,
        embedding_size=model.embedding_size,
        preprocessing=model.preprocessing.digest,
        site_key_fingerprint=FINGERPRINT,
        originals=OriginalsPolicy.COPY,
        create_time=0.0,
    )
    present = catalog(settings, create=True)
    present.create_archive(made)
    present.database.close()
    create(settings, made)
    return made


def create(settings: Settings, record: ArchiveRecord) -> None:
    archive_store(settings).create(binding_of(record))


def stored(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_store(settings)}


def test_an_archive_on_a_server_is_compared_with_its_record(settings: Settings, record: ArchiveRecord) -> None:
    found = stored(settings)
    assert found["store"].state is State.OK
    assert "Qdrant 1.20.0" in found["store"].found
    assert found[f"archive {ARCHIVE}"].state is State.OK


def test_a_collection_of_another_model_is_told(settings: Settings, record: ArchiveRecord) -> None:
    archive_store(settings).drop(ARCHIVE, record.creation)
    create(settings, replace(record, model="f" * 64))
    found = stored(settings)[f"archive {ARCHIVE}"]
    assert found.state is State.FAILED
    assert "ffffffffffff" in found.found
    assert f"xmirad archive rebuild {ARCHIVE}" in found.remedy


def test_a_field_that_lost_its_index_is_a_warning(
    settings: Settings, record: ArchiveRecord, qdrant: QdrantServer
) -> None:
    (schema,) = qdrant.collections.schemas.values()
    del schema[PayloadField.SITE]
    found = stored(settings)[f"archive {ARCHIVE}"]
    assert (found.state, "site" in found.found) == (State.WARNING, True)


def test_a_server_that_lost_the_archive_is_to_be_filled_again(settings: Settings, record: ArchiveRecord) -> None:
    archive_store(settings).drop(ARCHIVE, record.creation)
    assert stored(settings)[f"archive {ARCHIVE}"].state is State.FAILED


def test_a_wrong_key_of_the_vector_store_is_called_that_and_not_shown(tmp_path: Path, qdrant: QdrantServer) -> None:
    wrong = load_settings({"home": tmp_path, "store": {"kind": "qdrant", "url": qdrant.url, "api_key": "wrong-secret"}})
    found = stored(wrong)["store"]
    assert found.state is State.FAILED
    assert "refuses the service's credentials" in found.found
    assert "store.api_key_file" in found.remedy
    assert "wrong-secret" not in str(found)


def test_a_vector_store_that_is_not_there_is_told_with_its_address(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    found = stored(load_settings({"home": tmp_path, "store": {"kind": "qdrant", "url": url}}))["store"]
    assert (found.state, url in found.found) == (State.FAILED, True)
    assert "store.url" in found.remedy


def test_a_vector_store_that_never_answers_is_told_with_its_address(tmp_path: Path) -> None:
    with silent_ports(1) as (port,):
        store = {"kind": "qdrant", "url": f"http://127.0.0.1:{port}", "api_key": SECRET}
        found = stored(load_settings({"home": tmp_path, "store": store}))["store"]
    assert (found.state, f"127.0.0.1:{port}" in found.found) == (State.FAILED, True)
    assert SECRET not in str(found)


def test_a_server_of_a_far_version_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = wire.HealthCheckReply(title="qdrant stand-in", version="1.12.4")
    monkeypatch.setattr(Health, "HealthCheck", lambda _self, _request, _context: old)
    with QdrantServer() as server:
        found = stored(load_settings({"home": tmp_path, "store": {"kind": "qdrant", "url": server.url}}))["store"]
    assert (found.state, "1.12.4" in found.found) == (State.WARNING, True)


def test_a_vector_store_behind_tls_is_known_by_its_certificate(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path, "authority"), Authority(tmp_path, "other")
    signed = authority.sign("qdrant")
    credentials = grpc.ssl_server_credentials([(signed.key.read_bytes(), signed.certificate.read_bytes())])
    with QdrantServer(credentials=credentials) as server:
        store = {"kind": "qdrant", "url": server.url}
        known, strange = (
            stored(load_settings({"home": tmp_path / "home", "store": {**store, "ca_file": file}}))["store"]
            for file in (authority.file, other.file)
        )
    assert known.state is State.OK
    assert (strange.state, "store.ca_file" in strange.remedy) == (State.FAILED, True)
