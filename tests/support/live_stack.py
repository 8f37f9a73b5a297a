"""Valkey, the retrieval service and an explainer as processes of their own, each with a metrics page, on one home."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from support.live_service import LiveService, free_port
from support.models import models_dir
from support.valkey import ValkeyServer, valkey_server
from support.web import wait_for
from xmirad.client import Client
from xmirad.home import Home

START_SECONDS = 30.0


@dataclass(slots=True)
class LiveStack:
    """The whole system, on free ports."""

    valkey: ValkeyServer
    retrieval: LiveService
    client: Client
    environment: Mapping[str, str]
    retrieval_port: int
    explainer_port: int = field(default_factory=free_port)
    explainer: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Home:
        return self.valkey.home

    @property
    def worker_log(self) -> Path:
        return self.retrieval.home / "worker.log"

    def start_explainer(self) -> None:
        """Start an explainer, and wait until it is ready for work."""
        self.home.worker_file("explainer").unlink(missing_ok=True)
        own = {
            "XMIRAD_HOME": str(self.retrieval.home),
            "XMIRAD_MODELS_DIR": str(models_dir()),
            "XMIRAD_METRICS__PORT": str(self.explainer_port),
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
        with self.worker_log.open("ab") as log:
            self.explainer = subprocess.Popen(
                [sys.executable, "-m", "xmirad_explainer"],
                env={**clean, **own, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(self.home.worker_file("explainer").exists, seconds=START_SECONDS)

    def kill_explainer(self) -> None:
        """Kill the explainer with its processes, as a power cut would."""
        assert self.explainer is not None
        parent = psutil.Process(self.explainer.pid)
        for process in [parent, *parent.children()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.explainer.wait()
        self.explainer = None


@contextmanager
def live_stack(root: Path, **environment: str) -> Iterator[LiveStack]:
    """Yield a running system; everything ends with the block.

    Args:
        root: The home.
        environment: Variables of both processes.
    """
    port = free_port()
    with valkey_server(root) as valkey:
        retrieval = LiveService(root, {**environment, "XMIRAD_METRICS__PORT": str(port)})
        try:
            with retrieval.start() as client:
                stack = LiveStack(valkey, retrieval, client, environment, port)
                try:
                    stack.start_explainer()
                    yield stack
                finally:
                    if stack.explainer is not None:
                        stack.kill_explainer()
        finally:
            retrieval.kill()
