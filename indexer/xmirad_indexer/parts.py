"""Puts together what a worker process works with; made in the process itself, never before it is forked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from celery import Celery

from xmirad.blobs.port import BlobStore
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.composition import blob_store, catalog, decoder_pool, model_registry
from xmirad.failpoints import Failpoint
from xmirad.ids import SiteKey
from xmirad.imaging.sandbox import DecoderPool
from xmirad.imaging.shared_decoder import SharedDecoder
from xmirad.imports.listing import Listings
from xmirad.imports.stepping import ImportSteps
from xmirad.imports.store import ImportStore
from xmirad.indexing.locks import KeyedLocks
from xmirad.indexing.runner import Lanes, Tools
from xmirad.lanes import Lane, Turns
from xmirad.models.embedder import BackboneEmbedder, load_embedder
from xmirad.queue.connection import connect
from xmirad.queue.dead_letters import Attempts, DeadLetters
from xmirad.queue.import_queue import RedisImportQueue
from xmirad.queue.payloads import ImportTask
from xmirad.queue.task_figures import TaskFigures
from xmirad.settings import Settings
from xmirad.site_key import load_site_key
from xmirad_indexer.opening import Archives

BEGIN_SHARE = 0.4
"""Of the time that a task may run: no image is begun later."""
DECODE_SHARE = 0.55
"""Of that time, for one image to be decoded: what was begun first in a step can end in it."""
STEP_SHARE = 0.6
"""Of that time, until images that are not decoded are left to the next step; the rest is for others to be written."""


@dataclass(frozen=True, slots=True)
class Machinery:
    """What a process keeps from step to step."""

    blobs: BlobStore
    catalog: Catalog
    decoder: DecoderPool
    site_key: SiteKey
    lanes: Lanes
    listings: Listings
    embedder_of: Callable[[str], BackboneEmbedder]
    failpoint: Failpoint


class Parts:
    """What tasks work with."""

    def __init__(self, settings: Settings, app: Celery, url: str) -> None:
        """Start the decoders and connect to the stores; the model is loaded with the first image."""
        server = connect(url)
        self.queue = RedisImportQueue(app, server)
        self.attempts = Attempts(server)
        self.dead_letters = DeadLetters(server, app)
        self.figures = TaskFigures(server)
        self.most_attempts = settings.queue.attempts
        self.task_seconds = settings.queue.task_seconds
        self._settings = settings
        self._machinery = _machinery(settings)

    def advance(self, task: ImportTask) -> Sequence[int]:
        """Do a step of an import and return with which segments to go on after it.

        Raises:
            ImportNotFoundError: If there is no such import any more.
            BackendUnavailableError: If a store fails; what is done is kept.
        """
        return asyncio.run(self._advance(task))

    def imports(self) -> ImportStore:
        """Return the records of imports."""
        return ImportStore(self._machinery.catalog.database)

    async def _advance(self, task: ImportTask) -> Sequence[int]:
        made = self._machinery
        tools = Tools(
            decoder=SharedDecoder(made.decoder),
            catalog=made.catalog,
            images=ImageBlobs(made.catalog.database, made.blobs),
            site_key=made.site_key,
            lanes=made.lanes,
            locks=KeyedLocks(),
            failpoint=made.failpoint,
        )
        archives = Archives(tools, made.embedder_of)
        steps = ImportSteps(
            self.imports(),
            made.listings,
            archives.open,
            begin_seconds=self.task_seconds * BEGIN_SHARE,
            step_seconds=self.task_seconds * STEP_SHARE,
            max_image_bytes=self._settings.limits.max_image_bytes,
        )
        return await steps.run(task.creation, task.number, task.segment)


def _machinery(settings: Settings) -> Machinery:
    decoder = decoder_pool(settings, most_seconds=settings.queue.task_seconds * DECODE_SHARE)
    made = Machinery(
        blobs=blob_store(settings),
        catalog=catalog(settings),
        decoder=decoder,
        site_key=load_site_key(settings),
        lanes=_lanes(settings),
        listings=Listings(settings.imports.folders),
        embedder_of=_loader(settings),
        failpoint=Failpoint(settings.failpoint),
    )
    decoder.start()  # last: what fails before leaves no process behind, for the next task makes it all again
    return made


def _lanes(settings: Settings) -> Lanes:
    """Start threads; no reader is here who would have to be served before them."""
    threads = settings.threads
    return Lanes(
        model=Lane("model", workers=threads.model + 1),
        blobs=Lane("blobs", workers=threads.blob_writers),
        store=Lane("store", workers=1),
        turns=Turns(1),
    )


def _loader(settings: Settings) -> Callable[[str], BackboneEmbedder]:
    """Return a function that keeps the model used last."""
    registry = model_registry(settings)
    loaded: dict[str, BackboneEmbedder] = {}

    def embedder_of(digest: str) -> BackboneEmbedder:
        if digest not in loaded:
            embedder = load_embedder(registry.find(digest), threads=settings.threads.model)
            loaded.clear()
            loaded[digest] = embedder
        return loaded[digest]

    return embedder_of
