"""Puts together what a worker process works with; made in the process itself, never before it is forked."""

from collections.abc import Callable
from dataclasses import dataclass

from celery import Celery

from xmirad.catalog.workers import WorkerProcess
from xmirad.composition import blob_store, catalog, model_registry
from xmirad.explanations.assessing import Assessor
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.completing import Completion
from xmirad.explanations.filling import ChunkFiller
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.scoring import MapScorer
from xmirad.explanations.store import ExplanationStore
from xmirad.explanations.warming import Warmer
from xmirad.failpoints import Failpoint
from xmirad.models.embedder import BackboneEmbedder, load_embedder
from xmirad.models.torch_embedder import load_torch_embedder
from xmirad.queue.board import RedisBoard
from xmirad.queue.connection import connect
from xmirad.queue.dead_letters import Attempts, DeadLetters
from xmirad.queue.task_figures import TaskFigures
from xmirad.queue.task_queue import RedisTaskQueue
from xmirad.settings import Settings
from xmirad.types import BackboneKind

THREADS = 1
"""Of the model in one process; more processes share a machine better than more threads of one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What tasks work with."""

    filler: ChunkFiller
    cache: OcclusionCache
    completion: Completion
    warmer: Warmer
    board: RedisBoard
    queue: RedisTaskQueue
    attempts: Attempts
    worker: WorkerProcess
    dead_letters: DeadLetters
    figures: TaskFigures
    failpoint: Failpoint
    most_attempts: int


def make_parts(settings: Settings, app: Celery, url: str, *, parent: str = "") -> Parts:
    """Connect to the stores; the model is loaded with the first task that needs it.

    Args:
        settings: Where the stores are.
        app: Publishes tasks.
        url: Of the queue's server.
        parent: Random id of the process that this one was forked from.
    """
    blobs = blob_store(settings)
    server = connect(url)
    board = RedisBoard(server)
    queue = RedisTaskQueue(app, server, max_waiting=settings.queue.max_waiting)
    records = catalog(settings)
    database, images = records.database, ExplanationImages(records, blobs)
    store, cache = ExplanationStore(database, blobs), OcclusionCache(database, blobs, board)
    embedder_of = _loader(settings)
    scorer = MapScorer(images, cache, embedder_of=embedder_of)
    assessor = Assessor(blobs, images, store, cache, embedder_of=embedder_of)
    return Parts(
        filler=ChunkFiller(images, cache, embedder_of=embedder_of),
        cache=cache,
        completion=Completion(store, cache, scorer, assessor, board=board, queue=queue),
        warmer=Warmer(database, cache, queue=queue, budget_bytes=settings.explanations.cache_bytes),
        board=board,
        queue=queue,
        attempts=Attempts(server),
        worker=WorkerProcess(database, parent=parent),
        dead_letters=DeadLetters(server, app),
        figures=TaskFigures(server),
        failpoint=Failpoint(settings.failpoint),
        most_attempts=settings.queue.attempts,
    )


def _loader(settings: Settings) -> Callable[[str], BackboneEmbedder]:
    """Return a function that keeps the model used last."""
    registry, wanted = model_registry(settings), settings.explanations
    loaded: dict[str, BackboneEmbedder] = {}

    def embedder_of(digest: str) -> BackboneEmbedder:
        if digest not in loaded:
            artifact = registry.find(digest)
            loaded.clear()
            loaded[digest] = (
                load_torch_embedder(artifact, device=wanted.device)
                if wanted.backbone is BackboneKind.TORCH
                else load_embedder(artifact, threads=THREADS, tuned=True)
            )
        return loaded[digest]

    return embedder_of
