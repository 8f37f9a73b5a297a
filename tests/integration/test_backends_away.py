"""Redis is away when processes start, and later: each says so, goes on trying, and finds it again by itself."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.live_service import LiveService, free_port, live_service
from support.models import models_dir
from support.valkey import ValkeyServer
from support.web import wait_for
from xmirad.home import Home
from xmirad.queue.status import queue_status
from xmirad.types import WorkerKind

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
CHANGE_SECONDS = 30.0


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server that is not started yet."""
    server = ValkeyServer(tmp_path / "queue")
    try:
        yield server
    finally:
        server.close()


def health(service: LiveService, name: str) -> int:
    with grpc.insecure_channel(service.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(service=f"xmirad.v1.{name}")).status)


def test_retrieval_serves_all_but_explanations_without_redis_and_those_when_it_is_back(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    def explains(state: int) -> None:
        wait_for(lambda: health(service, "ExplanationService") == state, seconds=CHANGE_SECONDS)
        assert health(service, "RetrievalService") == SERVING

    environment = {"XMIRAD_QUEUE__URL": valkey.url, "XMIRAD_LOGGING__FORMAT": "json"}
    with live_service(tmp_path / "home", **environment) as service, service.start():
        explains(NOT_SERVING)
        valkey.start()
        explains(SERVING)
        valkey.kill()
        explains(NOT_SERVING)
        valkey.start()
        explains(SERVING)
        changes = [line for line in service.log.read_text().splitlines() if "explanations_health_changed" in line]
        assert ['"backend": "queue"' in line for line in changes] == [True, False, True, False]
        assert "Traceback" not in service.log.read_text()
        assert service.stop() == 0


@contextmanager
def worker(kind: WorkerKind, home: Path, valkey: ValkeyServer, *, store_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker that knows a vector store which may not be there either."""
    home.mkdir()
    key = home / "site.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    own = {
        "XMIRAD_HOME": str(home),
        "XMIRAD_MODELS_DIR": str(models_dir()),
        "XMIRAD_QUEUE__URL": valkey.url,
        "XMIRAD_STORE__KIND": "qdrant",
        "XMIRAD_STORE__URL": f"http://127.0.0.1:{store_port}",
        "XMIRAD_SITE_KEY_FILE": str(key),
        "XMIRAD_LOGGING__FORMAT": "json",
    }
    clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
    with (home / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"xmirad_{kind}"], env={**clean, **own}, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(CHANGE_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WorkerKind)
def test_a_worker_that_starts_before_redis_says_so_and_works_when_it_is_there(
    kind: WorkerKind, valkey: ValkeyServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    heartbeat = Home(home).heartbeat(kind)

    def said(event: str, backend: str) -> int:
        lines = [json.loads(line) for line in (home / "worker.log").read_text().splitlines() if line.startswith("{")]
        return sum((line["event"], line.get("backend")) == (event, backend) for line in lines)

    store_port = free_port()
    with worker(kind, home, valkey, store_port=store_port) as process:
        wait_for(lambda: said("backend.not_available", "queue") == 1, seconds=CHANGE_SECONDS)
        assert not heartbeat.exists()
        valkey.start()
        wait_for(lambda: bool(queue_status(valkey.connect()).workers), seconds=CHANGE_SECONDS)
        wait_for(heartbeat.exists, seconds=CHANGE_SECONDS)
        wait_for(lambda: said("backend.available", "queue") == 1, seconds=CHANGE_SECONDS)
        valkey.kill()
        wait_for(lambda: said("backend.not_available", "queue") == 2, seconds=CHANGE_SECONDS)
        valkey.start()
        wait_for(lambda: said("backend.available", "queue") == 2, seconds=CHANGE_SECONDS)
        assert process.poll() is None
    assert '"logger": "celery.worker.consumer' not in (home / "worker.log").read_text()
