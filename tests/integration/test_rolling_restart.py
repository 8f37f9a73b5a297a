"""Two services on one Qdrant server and one blob store, replaced one after the other under load."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.live_service import LiveService, live_service
from support.qdrant_process import qdrant_process
from support.sample_items import store_samples
from xmirad.client import Client

CLIENTS = 4
QUIET_SECONDS = 1.0
ARCHIVE = "samples"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[list[LiveService]]:
    key = tmp_path / "site.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    with ExitStack() as stack:
        qdrant = stack.enter_context(qdrant_process())
        shared = {
            "XMIRAD_STORE__KIND": "qdrant",
            "XMIRAD_STORE__URL": qdrant.url,
            "XMIRAD_SITE_KEY_FILE": str(key),
            "XMIRAD_CATALOG__URL": f"sqlite:///{tmp_path / 'catalog.db'}",
            "XMIRAD_BLOBS__URL": (tmp_path / "blobs").as_uri(),
        }
        yield [stack.enter_context(live_service(tmp_path / name, **shared)) for name in ("first", "second")]


def test_a_rolling_restart_under_load_loses_no_request(replicas: list[LiveService]) -> None:
    clients = [replica.start() for replica in replicas]
    items = list(store_samples(clients[0], ARCHIVE).values())
    for client in clients:
        client.close()
    both = "ipv4:" + ",".join(replica.address for replica in replicas)
    over = threading.Event()

    def search_on(number: int) -> int:
        answered = 0
        with Client(both) as client:
            while not over.is_set():
                assert client.search(ARCHIVE, items[number], top_k=3).results[0].item
                answered += 1
        return answered

    with ThreadPoolExecutor(CLIENTS) as threads:
        searching = [threads.submit(search_on, number) for number in range(CLIENTS)]
        try:
            for replica in replicas:
                time.sleep(QUIET_SECONDS)
                assert replica.stop() == 0
                replica.start(at=replica.address).close()
            time.sleep(QUIET_SECONDS)
        finally:
            over.set()

    answered = [each.result() for each in searching]
    assert min(answered) > CLIENTS
