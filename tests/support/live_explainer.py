"""The queue and the explainer as processes of their own, on a home with two images, for tests that break them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from PIL import Image

from support.models import toy_model
from support.records import archive_record, item_record
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.composition import blob_store, catalog
from xmirad.explanations.creating import Creator
from xmirad.explanations.eviction import Evictor
from xmirad.explanations.forgetting import Forgetter
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest, ImageKind, ImageReference, OcclusionParameters
from xmirad.explanations.store import ExplanationStore
from xmirad.explanations.sweeping import Retention, Sweeper
from xmirad.explanations.watching import Snapshot, Watcher
from xmirad.home import Home
from xmirad.imaging.preprocessing import prepare
from xmirad.models.artifact import ModelArtifact
from xmirad.models.embedder import load_embedder
from xmirad.phantoms.drawing import draw_phantom
from xmirad.queue.app import celery_app
from xmirad.queue.connection import connect
from xmirad.queue.valkey import EmbeddedValkey
from xmirad.settings import QueueSettings, Settings
from xmirad_explainer.parts import make_parts

QUEUE = QueueSettings(visibility_seconds=13.0, task_seconds=6.0)
DAY = 86_400.0
WAIT_SECONDS = 150.0
FINE = OcclusionParameters(window=24, stride=5)
"""2,401 windows in four levels: some seconds of work even for the toy."""
SMALL = OcclusionParameters(window=56, stride=28)
"""81 windows in four levels and five chunks."""


class LiveExplainer:
    """Valkey, a worker of two processes, and what retrieval would work with."""

    def __init__(self, home: Path, artifact: ModelArtifact | None = None) -> None:
        self.artifact = artifact or toy_model(home.parent / "models")
        self.settings = Settings(home=home, models_dir=self.artifact.path.parent, queue=QUEUE)
        self.home = Home(home)
        self.home.prepare()
        catalog(self.settings, create=True).archives()  # as the retrieval service does
        self._valkey = EmbeddedValkey(self.home)
        self._server: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.command = self._valkey.prepare()
        self.start_server()
        url = f"unix://{self._socket}"
        app = celery_app(url, QUEUE)
        self.server = connect(url)
        self.parts = make_parts(self.settings, app, url)
        self.blobs = blob_store(self.settings)
        self.catalog = catalog(self.settings, create=True)
        self.archive = self.catalog.create_archive(
            archive_record(model=self.artifact.digest, embedding_size=self.artifact.embedding_size)
        )
        database, queue = self.catalog.database, self.parts.queue
        self.store = ExplanationStore(database, self.blobs)
        cache, completion = self.parts.cache, self.parts.completion
        self.forgetter = forgetter = Forgetter(database, self.blobs)
        self.creator = Creator(self.store, cache, completion, forgetter, max_windows=10_000, queue=queue)
        self.watcher = Watcher(self.store, cache, self.parts.board)
        self.sweeper = Sweeper(
            database,
            self.store,
            self.creator,
            forgetter,
            Evictor(database, forgetter, budget_bytes=1 << 30),
            self.parts.warmer,
            board=self.parts.board,
            queue=queue,
            retention=Retention(explanations=DAY, queries=DAY, sweep=1.0),
            holder="test",
        )

    @property
    def _socket(self) -> str:
        return self.command[self.command.index("--unixsocket") + 1]

    def start_server(self) -> None:
        self._server = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        wait_until(self._valkey.is_ready)

    def kill_server(self) -> None:
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def start_worker(self, **environment: str) -> None:
        self.home.worker_file("explainer").unlink(missing_ok=True)
        own = {
            "XMIRAD_HOME": str(self.settings.home),
            "XMIRAD_MODELS_DIR": str(self.settings.models_dir),
            "XMIRAD_QUEUE__VISIBILITY_SECONDS": str(QUEUE.visibility_seconds),
            "XMIRAD_QUEUE__TASK_SECONDS": str(QUEUE.task_seconds),
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
        with (self.settings.home / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "xmirad_explainer"],
                env={**clean, **own, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self.home.worker_file("explainer").exists)

    def worker_processes(self) -> list[psutil.Process]:
        assert self.worker is not None
        processes: list[psutil.Process] = psutil.Process(self.worker.pid).children()
        return processes

    def kill_worker(self) -> None:
        """Kill the parent and its processes at once."""
        assert self.worker is not None
        everyone = [psutil.Process(self.worker.pid), *self.worker_processes()]
        for process in everyone:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.worker.wait()

    def stop_worker(self) -> int:
        assert self.worker is not None
        self.worker.send_signal(signal.SIGTERM)
        return self.worker.wait(timeout=60)

    def image(self, seed: int) -> ImageReference:
        """Store an image as an item has it, and return it."""
        artifact = self.artifact
        picture = Image.fromarray(draw_phantom("nodules", seed=7, number=seed)).convert("RGB")
        pixels = prepare(picture, artifact.preprocessing)[0]
        digest = f"{seed:064x}"
        images = ImageBlobs(self.catalog.database, self.blobs)
        put = images.put([NewBlob.input(digest, artifact.preprocessing.digest, pixels)])
        embedder = load_embedder(artifact, threads=1)
        record = item_record(seed, item=f"item-{seed}", image=digest)
        self.catalog.put_item(record, embedder.embed(pixels[None])[0], blobs_at=put)
        return ImageReference(ImageKind.ITEM, digest, f"item-{seed}")

    def request(
        self, query: ImageReference, result: ImageReference, occlusion: OcclusionParameters = FINE
    ) -> ExplanationRequest:
        artifact = self.artifact
        return ExplanationRequest(
            site="local",
            archive="chest",
            model=artifact.digest,
            preprocessing=artifact.preprocessing.digest,
            size=artifact.preprocessing.crop_size,
            query=query,
            result=result,
            occlusion=occlusion,
        )

    def create(self, request: ExplanationRequest, queue: QueueName = QueueName.INTERACTIVE) -> str:
        return self.creator.create(request, queue=queue).request.explanation

    def wait(self, explanation: str, until: Callable[[Snapshot], bool], *, sweep: bool = False) -> Snapshot:
        """Wait until something is true of an explanation, sweeping meanwhile as retrieval does."""

        def is_so() -> bool:
            if sweep:
                self.sweeper.sweep()
            return until(self.watcher.snapshot(explanation))

        wait_until(is_so, pause=0.1)
        return self.watcher.snapshot(explanation)

    def close(self) -> None:
        if self.worker is not None and self.worker.poll() is None:
            self.kill_worker()
        self._valkey.clean_up()
        if self._server is not None:
            self._server.wait(timeout=10)


@contextmanager
def live_explainer(home: Path, artifact: ModelArtifact | None = None) -> Iterator[LiveExplainer]:
    """Yield a queue without a worker, for a model or a toy; everything ends with the block."""
    explainer = LiveExplainer(home, artifact)
    try:
        yield explainer
    finally:
        explainer.close()


def wait_until(is_so: Callable[[], bool], *, pause: float = 0.02) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)
