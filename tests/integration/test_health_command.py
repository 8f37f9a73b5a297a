"""`xmirad health`: exit codes for container engines, in time."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from support.live_service import free_port
from xmirad.heartbeat import STALE_SECONDS, beat
from xmirad.home import Home
from xmirad.supervisor.announcement import Announcement, announce
from xmirad.types import WorkerKind

SECONDS = 6.0
"""Twice over what a container's check may take; this machine may be busy."""


@contextmanager
def serving(address: str) -> Iterator[tuple[int, health.HealthServicer]]:
    served = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, served)
    port = served.add_insecure_port(address)
    served.start()
    yield port, servicer
    served.stop(grace=None).wait()


@pytest.fixture
def server() -> Iterator[tuple[str, health.HealthServicer]]:
    with serving("127.0.0.1:0") as (port, servicer):
        yield f"127.0.0.1:{port}", servicer


def check(process: str, home: Path, **environment: str) -> int:
    began = time.monotonic()
    run = subprocess.run(
        [str(Path(sys.executable).with_name("xmirad")), "health", process],
        env={"XMIRAD_HOME": str(home), **environment},
        capture_output=True,
        check=False,
    )
    assert time.monotonic() - began < SECONDS
    return run.returncode


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (health_pb2.HealthCheckResponse.SERVING, 0),
        (health_pb2.HealthCheckResponse.NOT_SERVING, 1),
    ],
)
def test_a_service_is_healthy_if_it_says_that_it_serves(
    server: tuple[str, health.HealthServicer], tmp_path: Path, status: int, code: int
) -> None:
    address, servicer = server
    servicer.set("", status)
    everywhere = address.replace("127.0.0.1", "0.0.0.0")  # noqa: S104
    assert check("retrieval", tmp_path, XMIRAD_SERVER__ADDRESS=everywhere) == code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (health_pb2.HealthCheckResponse.SERVING, 0),
        (health_pb2.HealthCheckResponse.NOT_SERVING, 1),
    ],
)
def test_a_service_behind_tls_is_asked_by_its_own_socket_whoever_is_at_the_address(
    server: tuple[str, health.HealthServicer], tmp_path: Path, status: int, code: int
) -> None:
    stranger, servicer = server
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    socket = f"unix:{tmp_path / 'own.sock'}"
    home = Home(tmp_path / "home")
    home.prepare()
    announce(home, Announcement(stranger, os.getpid(), "boot", "0", local_address=socket))
    with serving(socket) as (_, own):
        own.set("", status)
        tls = {"XMIRAD_CLIENT__CA_FILE": str(tmp_path / "not-needed.pem")}
        assert check("retrieval", home.root, XMIRAD_SERVER__ADDRESS=stranger, **tls) == code


def test_where_nothing_answers_nothing_is_healthy(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert check("retrieval", tmp_path, XMIRAD_SERVER__ADDRESS=address) == 1


@pytest.mark.parametrize("worker", WorkerKind)
def test_a_worker_is_healthy_while_it_gives_signs_of_life(tmp_path: Path, worker: WorkerKind) -> None:
    assert check(worker, tmp_path) == 1
    sign = Home(tmp_path).heartbeat(worker)
    beat(sign)
    assert check(worker, tmp_path) == 0
    old = time.time() - 2 * STALE_SECONDS
    os.utime(sign, (old, old))
    assert check(worker, tmp_path) == 1


def test_a_check_needs_neither_celery_nor_a_model(tmp_path: Path) -> None:
    program = (
        "import sys; from xmirad.cli.main import app; "
        "sys.argv = ['xmirad', 'health', 'indexer']; "
        "heavy = ('celery', 'torch', 'openvino'); "
        "import atexit; atexit.register(lambda: print([name for name in heavy if name in sys.modules])); "
        "app()"
    )
    beat(Home(tmp_path).heartbeat("indexer"))
    run = subprocess.run(
        [sys.executable, "-c", program], env={"XMIRAD_HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "[]"
