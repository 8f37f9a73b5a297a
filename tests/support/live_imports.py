"""The server system as processes, for tests of imports: Qdrant stand-in, Valkey, retrieval service and indexer."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.live_explainer import wait_until
from support.live_service import STOP_SECONDS, LiveService, free_port, live_service
from support.models import models_dir
from support.qdrant_process import QdrantProcess, qdrant_process
from support.valkey import ValkeyServer, valkey_server
from xmirad.client.client import Client
from xmirad.home import Home

STEP_PATIENCE = 3
"""An indexer that is told to stop does the step that it is at."""


@dataclass(slots=True)
class LiveImports:
    """What runs, and an indexer that can be started, killed and started again."""

    root: Path
    folders: Path
    service: LiveService
    qdrant: QdrantProcess
    valkey: ValkeyServer
    environment: dict[str, str]
    service_page: str
    archive: str = "chest"
    indexers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.root / "indexer.log"

    @property
    def home(self) -> Home:
        return Home(self.root / "indexer")

    def renew(self) -> None:
        """Empty folder and queue, and name an archive that is not there yet."""
        shutil.rmtree(self.folders, ignore_errors=True)
        self.folders.mkdir()
        self.valkey.connect().flushall()
        self.archive = f"chest-{time.monotonic_ns()}"

    def client(self) -> Client:
        return Client(self.service.address)

    def start_indexer(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start an indexer and wait for its sign of life."""
        heartbeat = self.home.heartbeat("indexer")
        heartbeat.unlink(missing_ok=True)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
        own = {**self.environment, "XMIRAD_HOME": str(self.home.root), "XMIRAD_MODELS_DIR": str(models_dir())}
        with self.log.open("ab") as log:
            indexer = subprocess.Popen(
                [sys.executable, "-m", "xmirad_indexer"],
                env={**clean, **own, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        self.indexers.append(indexer)
        wait_until(heartbeat.exists)
        return indexer

    def kill_indexer(self) -> None:
        """End an indexer with all its processes, as a power cut would."""
        indexer = self.indexers.pop()
        os.killpg(indexer.pid, signal.SIGKILL)
        indexer.wait(STOP_SECONDS)

    def close(self) -> None:
        for indexer in list(self.indexers):
            indexer.send_signal(signal.SIGTERM)
        while self.indexers:
            self.indexers[-1].wait(STEP_PATIENCE * STOP_SECONDS)
            self.indexers.pop()


@contextmanager
def live_imports(root: Path, **environment: str) -> Iterator[LiveImports]:
    """Yield a system whose folder `root/images` has the alias `images`; no indexer runs yet."""
    folders = root / "images"
    folders.mkdir()
    key = root / "site.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    with ExitStack() as stack:
        qdrant = stack.enter_context(qdrant_process())
        valkey = stack.enter_context(valkey_server(root / "valkey"))
        shared = {
            "XMIRAD_STORE__KIND": "qdrant",
            "XMIRAD_STORE__URL": qdrant.url,
            "XMIRAD_SITE_KEY_FILE": str(key),
            "XMIRAD_CATALOG__URL": f"sqlite:///{root / 'catalog.db'}",
            "XMIRAD_BLOBS__URL": (root / "blobs").as_uri(),
            "XMIRAD_QUEUE__URL": valkey.url,
            "XMIRAD_IMPORTS__FOLDERS": json.dumps({"images": str(folders)}),
            "XMIRAD_EXPLANATIONS__SWEEP_SECONDS": "1",
            **environment,
        }
        port = free_port()
        service = stack.enter_context(live_service(root / "retrieval", **shared, XMIRAD_METRICS__PORT=str(port)))
        service.start().close()
        page = f"http://127.0.0.1:{port}/metrics"
        live = LiveImports(root, folders, service, qdrant, valkey, shared, page)
        stack.callback(live.close)
        yield live
