"""Starting and ending: what keeps the service from starting, how it drains, and that no process stays behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.live_service import LiveService, free_port, live_service
from support.models import models_dir
from support.pictures import png
from support.raw_service import RawService
from support.slow_images import slow_image
from xmirad.api.v1 import resources_pb2 as resources
from xmirad.api.v1 import retrieval_service_pb2 as retrieval
from xmirad.client.types import Upload
from xmirad.home import Home
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.exits import EXIT_NOT_RESTARTABLE

START_SECONDS = 20.0
WAIT_SECONDS = 10.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LiveService]:
    with live_service(tmp_path / "home") as live:
        yield live


def start_that_fails(home: Path, *, code: int = EXIT_NOT_RESTARTABLE, **environment: str) -> str:
    """Start a service that cannot run, and return what it says; `code` tells whether trying again can help."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
    own = {
        "XMIRAD_HOME": str(home),
        "XMIRAD_MODELS_DIR": str(models_dir()),
        "XMIRAD_SERVER__ADDRESS": f"127.0.0.1:{free_port()}",
    }
    finished = subprocess.run(
        [sys.executable, "-m", "xmirad_services.retrieval"],
        env={**clean, **own, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert finished.returncode == code, finished.stderr
    assert "Traceback" not in finished.stderr
    last = finished.stderr.splitlines()[-1]
    assert last.startswith("xmirad: "), finished.stderr
    return last


def children_of(service: LiveService) -> list[psutil.Process]:
    assert service.process is not None
    return list(psutil.Process(service.process.pid).children(recursive=True))


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def statuses(address: str, seen: list[int]) -> threading.Thread:
    """Watch the service's health until the stream ends."""

    def watch() -> None:
        with grpc.insecure_channel(address) as channel:
            try:
                stub: Any = health_pb2_grpc.HealthStub(channel)
                answers = stub.Watch(health_pb2.HealthCheckRequest())
                seen.extend(answer.status for answer in answers)
            except grpc.RpcError:
                return

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_sigterm_lets_running_requests_finish_and_refuses_new_ones(service: LiveService) -> None:
    with service.start(XMIRAD_SERVER__DRAIN_SECONDS="2") as client:
        client.create_archive("a")
        client.create_item("a", Upload(png(1)))
    children = children_of(service)
    assert children
    announced = find_service(Home(service.home))
    assert announced is not None
    assert announced.address == service.address
    seen: list[int] = []
    watching = statuses(service.address, seen)
    image = resources.Image(data=slow_image(1).data)
    request: Any = retrieval.SearchRequest(archive="archives/a", top_k=1, image=image)
    with RawService(service.address) as raw, RawService(service.address) as late:
        running = raw.retrieval.Search.future(request, timeout=WAIT_SECONDS)
        assert eventually(lambda: seen == [SERVING])
        time.sleep(0.1)
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: seen == [SERVING, NOT_SERVING])
        with pytest.raises(grpc.RpcError) as refused:
            late.retrieval.Search(request, timeout=WAIT_SECONDS)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert running.result().results
    assert service.wait() == 0
    watching.join()
    assert eventually(lambda: all_gone(children))
    assert find_service(Home(service.home)) is None
    assert "Traceback" not in service.log.read_text()


def test_an_idle_service_ends_at_once(service: LiveService) -> None:
    service.start().close()
    begin = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - begin < 3.0


def test_an_upload_stream_does_not_keep_the_service_beyond_its_drain_time(service: LiveService) -> None:
    with service.start(XMIRAD_SERVER__DRAIN_SECONDS="1") as client:
        client.create_archive("a")
        stop = threading.Event()

        def uploads() -> Iterator[Upload]:
            number = 0
            while not stop.is_set():
                number += 1
                yield Upload(png(number), correlation_id=str(number), external_id=str(number))

        outcomes = client.upload("a", uploads())
        acknowledged = {outcome.receipt.item for outcome, _ in zip(outcomes, range(5), strict=False) if outcome.receipt}
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 5.0
        stop.set()
        outcomes.close()  # type: ignore[attr-defined]  # it is a generator
    with service.start() as client:
        assert acknowledged <= {item.name for item in client.list_items("a")}
    assert "Traceback" not in service.log.read_text()


def test_a_killed_service_leaves_no_decoder_behind(service: LiveService) -> None:
    service.start().close()
    children = children_of(service)
    assert children
    service.kill()
    assert eventually(lambda: all_gone(children))


def test_a_second_service_on_the_same_home_says_who_holds_it(service: LiveService) -> None:
    service.start().close()
    assert service.process is not None
    message = start_that_fails(service.home)
    assert str(service.process.pid) in message
    assert "in use" in message
    assert "HOME_IN_USE" in message
    assert service.process.poll() is None


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        message = start_that_fails(tmp_path / "home", code=1, XMIRAD_SERVER__ADDRESS=address)
    assert address in message
    assert "BACKEND_UNAVAILABLE" in message


def test_a_metrics_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        message = start_that_fails(tmp_path / "home", code=1, XMIRAD_METRICS__PORT=port)
    assert port in message
    assert "BACKEND_UNAVAILABLE" in message


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    message = start_that_fails(tmp_path / "file", code=1)
    assert str(tmp_path / "file") in message


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    message = start_that_fails(tmp_path / "home", XMIRAD_SERVER__DRAIN_SECONDS="soon")
    assert "XMIRAD_SERVER__DRAIN_SECONDS" in message


def test_a_server_that_keeps_its_data_elsewhere_needs_the_site_key(tmp_path: Path) -> None:
    message = start_that_fails(tmp_path / "home", XMIRAD_STORE__KIND="qdrant")
    assert "XMIRAD_SITE_KEY_FILE" in message
    assert "SITE_KEY_MISMATCH" in message


def test_a_home_that_lost_its_site_key_is_not_given_another_one(service: LiveService) -> None:
    with service.start() as client:
        client.create_archive("a")
    assert service.stop() == 0
    (service.home / "secrets" / "site.key").unlink()
    assert "SITE_KEY_MISMATCH" in start_that_fails(service.home)
