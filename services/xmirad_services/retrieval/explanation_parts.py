"""Puts together what explaining works with."""

from dataclasses import dataclass

from xmirad.catalog.catalog import Catalog
from xmirad.composition import blob_store
from xmirad.explanations.assessing import Assessor
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.completing import Completion
from xmirad.explanations.creating import Creator
from xmirad.explanations.eviction import Evictor
from xmirad.explanations.forgetting import Forgetter
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.ports import Board, TaskQueue
from xmirad.explanations.scoring import MapScorer
from xmirad.explanations.store import ExplanationStore
from xmirad.explanations.sweeping import Retention, Sweeper
from xmirad.explanations.warming import Warmer
from xmirad.explanations.watching import Watcher
from xmirad.queue.address import queue_url
from xmirad.queue.app import celery_app
from xmirad.queue.board import RedisBoard
from xmirad.queue.connection import connect
from xmirad.queue.task_queue import RedisTaskQueue
from xmirad.settings import ExplanationSettings, Settings
from xmirad_services.retrieval.loaded_models import LoadedModels
from xmirad_services.retrieval.no_queue import NoQueue


@dataclass(frozen=True, slots=True)
class ExplanationParts:
    """What the servicers explain with.

    Attributes:
        images: Where queries are kept.
        creator: Takes requests.
        completion: Cancels.
        watcher: Reads explanations.
        store: Lists them.
        forgetter: Deletes them.
        warmer: Fills the cache ahead.
        sweeper: Finds what is unfinished or expired.
        cache: Its sums.
        board: The memory that all processes share.
        has_queue: Whether a queue is configured.
        max_batch: Most explanations of one request.
        sweep_seconds: How often the sweeper is due.
        cache_bytes: Most bytes of the occlusion cache.
    """

    images: ExplanationImages
    creator: Creator
    completion: Completion
    watcher: Watcher
    store: ExplanationStore
    forgetter: Forgetter
    warmer: Warmer
    sweeper: Sweeper
    cache: OcclusionCache
    board: Board
    has_queue: bool
    max_batch: int
    sweep_seconds: float
    cache_bytes: int


def explanation_parts(settings: Settings, models: LoadedModels, catalog: Catalog, *, boot_id: str) -> ExplanationParts:
    """Connect to the stores and, if there is one, to the queue, which need not answer yet."""
    url = queue_url(settings)
    board, queue = _queue(settings, url)
    blobs, wanted = blob_store(settings), settings.explanations
    database, images = catalog.database, ExplanationImages(catalog, blobs)
    store, cache = ExplanationStore(database, blobs), OcclusionCache(database, blobs, board)
    scorer = MapScorer(images, cache, embedder_of=models.embedder)
    assessor = Assessor(blobs, images, store, cache, embedder_of=models.embedder)
    completion = Completion(store, cache, scorer, assessor, board=board, queue=queue)
    forgetter = Forgetter(database, blobs)
    creator = Creator(store, cache, completion, forgetter, queue=queue, max_windows=wanted.max_windows)
    warmer = Warmer(database, cache, queue=queue, budget_bytes=wanted.cache_bytes)
    sweeper = Sweeper(
        database,
        store,
        creator,
        forgetter,
        Evictor(database, forgetter, budget_bytes=wanted.cache_bytes),
        warmer,
        board=board,
        queue=queue,
        retention=_retention(wanted),
        holder=boot_id,
    )
    return ExplanationParts(
        images=images,
        creator=creator,
        completion=completion,
        watcher=Watcher(store, cache, board),
        store=store,
        forgetter=forgetter,
        warmer=warmer,
        sweeper=sweeper,
        cache=cache,
        board=board,
        has_queue=url is not None,
        max_batch=wanted.max_batch,
        sweep_seconds=wanted.sweep_seconds,
        cache_bytes=wanted.cache_bytes,
    )


def _retention(wanted: ExplanationSettings) -> Retention:
    return Retention(
        explanations=wanted.retention_seconds, queries=wanted.query_retention_seconds, sweep=wanted.sweep_seconds
    )


def _queue(settings: Settings, url: str | None) -> tuple[Board, TaskQueue]:
    if url is None:
        absent = NoQueue()
        return absent, absent
    server = connect(url)
    app = celery_app(url, settings.queue)
    return RedisBoard(server), RedisTaskQueue(app, server, max_waiting=settings.queue.max_waiting)
