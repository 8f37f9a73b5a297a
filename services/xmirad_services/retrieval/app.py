"""Puts the retrieval service together and runs it. Settings are read once and end here; the parts get values.

Order matters twice. The decoder's children are started before gRPC, whose threads must not be forked. At the end the
service first says that it no longer serves, then lets running requests finish, then closes the stores.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any
from uuid import uuid4

import grpc
import structlog

from xmirad import __version__
from xmirad.access.authentication import authenticating
from xmirad.access.checking import check_security
from xmirad.catalog.images import ImageBlobs
from xmirad.composition import archive_store, blob_store, catalog, decoder_pool, model_registry
from xmirad.errors import ModelNotFoundError
from xmirad.failpoints import Failpoint
from xmirad.home import Home, exclusive
from xmirad.imaging.sandbox import DecoderPool
from xmirad.imaging.shared_decoder import SharedDecoder
from xmirad.indexing.locks import KeyedLocks
from xmirad.indexing.runner import Lanes, Tools
from xmirad.lanes import Lane, Priority, Turns
from xmirad.observability.logs import configure_logging
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.settings import ServerSettings, Settings, StoreKind
from xmirad.site_key import load_site_key
from xmirad.supervisor.announcement import Announcement, announce, withdraw
from xmirad_services.retrieval.door import current_account, door_of
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.explanation_parts import explanation_parts
from xmirad_services.retrieval.explanation_upkeep import keep_up
from xmirad_services.retrieval.health import HealthReporter
from xmirad_services.retrieval.imports import make_imports
from xmirad_services.retrieval.interceptors import CallInterceptor
from xmirad_services.retrieval.loaded_models import LoadedModels
from xmirad_services.retrieval.monitoring import monitored
from xmirad_services.retrieval.open_archives import OpenArchives
from xmirad_services.retrieval.ports import Ports, open_ports
from xmirad_services.retrieval.purging import Purger
from xmirad_services.retrieval.registration import METHODS, Servicers, register
from xmirad_services.retrieval.replays import Replays
from xmirad_services.retrieval.tracing import tracing_interceptors

QDRANT_CONNECTIONS = 4
_log = structlog.get_logger(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        HomeInUseError: If another process holds the home.
        SiteKeyMismatchError: If the site key is missing.
        BackendUnavailableError: If the address cannot be bound.
        InvalidRequestError: If strangers could come in, or the settings of the door do not fit each other.
    """
    check_security(settings)
    configure_logging(settings.logging)
    home = Home(settings.home)
    home.prepare()
    with exclusive(home.service_lock, purpose="the retrieval service"), _decoder(settings) as decoder:
        asyncio.run(_run(settings, home, decoder))


@contextmanager
def _decoder(settings: Settings) -> Iterator[DecoderPool]:
    pool = decoder_pool(settings)
    pool.start()
    with closing(pool):
        yield pool


async def _run(settings: Settings, home: Home, decoder: DecoderPool) -> None:
    stopping = _stopping()
    boot_id = uuid4().hex
    with monitored(settings, methods=METHODS) as metrics, _lanes(settings) as lanes:
        tools = _tools(settings, decoder, lanes)
        models = LoadedModels(
            model_registry(settings), default=settings.default_model, threads=settings.threads.model, metrics=metrics
        )
        archives = OpenArchives(archive_store(settings), models, tools)
        parts = explanation_parts(settings, models, tools.catalog, boot_id=boot_id)
        explainer = Explainer(archives, parts, tools)
        purger = _purger(tools, explainer)
        imports = make_imports(settings, archives, lanes)
        servicers = Servicers(
            archives=archives,
            models=models,
            explainer=explainer,
            purger=purger,
            imports=imports,
            replays=Replays(tools.catalog.database, lanes.blobs),
            tools=tools,
            metrics=metrics,
            boot_id=boot_id,
        )
        # Uploads that are under way at the end wait for the vector store as well.
        async with (
            _in_background(archives.keep_up()),
            _serving(settings, servicers, metrics, home) as (ports, health),
        ):
            await _load_default_model(models, lanes)
            announce(
                home, Announcement(ports.address, os.getpid(), boot_id, __version__, ports.local_address, ports.socket)
            )
            _log.info("service.started", address=ports.address, version=__version__, boot_id=boot_id)
            await _until(stopping, servicers, lanes, health)
            withdraw(home)
            await health.leave()
            _log.info("service.draining", drain_seconds=settings.server.drain_seconds)
        await archives.close()
        tools.catalog.database.close()
    _log.info("service.stopped", boot_id=boot_id)


async def _until(stopping: asyncio.Event, servicers: Servicers, lanes: Lanes, health: HealthReporter) -> None:
    """Do what is done in the background until the process is told to end; then let streams end."""
    archives, explainer, imports = servicers.archives, servicers.explainer, servicers.imports
    explaining = keep_up(explainer, lanes, servicers.metrics, health)
    watching, importing = health.watch(archives, lanes), imports.keep_up(servicers.metrics)
    purging, expiring = servicers.purger.keep_up(archives), servicers.replays.keep_up()
    async with _in_background(watching, explaining, importing, purging, expiring):
        await stopping.wait()
    explainer.leaving.set()
    imports.leaving.set()


def _stopping() -> asyncio.Event:
    """Return what is set when the process is told to end."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


@asynccontextmanager
async def _in_background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def _serving(
    settings: Settings, servicers: Servicers, metrics: RetrievalMetrics, home: Home
) -> AsyncIterator[tuple[Ports, HealthReporter]]:
    server_settings, database = settings.server, servicers.tools.catalog.database
    with authenticating(settings.security, database) as tokens:
        interceptor = CallInterceptor(
            metrics,
            door_of(settings, tokens),
            max_concurrent_requests=server_settings.max_concurrent_requests,
            max_message_bytes=server_settings.max_message_bytes,
            idle_seconds=server_settings.stream_idle_seconds,
        )
        server = _server(server_settings, interceptor)
        health = register(server, servicers, settings)
        with open_ports(server, settings, home) as ports:
            await server.start()
            await health.enter()
            try:
                yield ports, health
            finally:
                await server.stop(server_settings.drain_seconds)


def _server(settings: ServerSettings, interceptor: CallInterceptor) -> grpc.aio.Server:
    return grpc.aio.server(
        interceptors=[*tracing_interceptors(), interceptor],
        options=[
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", settings.max_message_bytes),
            # Without this a second service on the same port takes half of the calls instead of failing to start.
            ("grpc.so_reuseport", 0),
            # Clients ping a silent stream once a minute; the default would cut them off for it.
            ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
            ("grpc.http2.bdp_probe", 0),
        ],
    )


@contextmanager
def _lanes(settings: Settings) -> Iterator[Lanes]:
    threads = settings.threads
    # Edge belongs to one thread; a Qdrant server answers several at a time.
    store_workers = 1 if settings.store.kind is StoreKind.EDGE else QDRANT_CONNECTIONS
    turns = Turns(len(os.sched_getaffinity(0)) - 1)
    lanes = Lanes(
        # One more than the model runs at a time: while a worker prepares an image, the others keep the model at work.
        model=Lane("model", workers=threads.model + 1, turns=turns),
        blobs=Lane("blobs", workers=threads.blob_writers, turns=turns),
        store=Lane("store", workers=store_workers, turns=turns),
        turns=turns,
    )
    try:
        yield lanes
    finally:
        for lane in (lanes.model, lanes.blobs, lanes.store):
            lane.close()


def _tools(settings: Settings, decoder: DecoderPool, lanes: Lanes) -> Tools:
    site_key = load_site_key(settings)
    blobs, records = blob_store(settings), catalog(settings, create=True)
    records.archives()  # opens it, so that the start fails instead of the first request
    return Tools(
        decoder=SharedDecoder(decoder, turns=lanes.turns, caller=current_account),
        catalog=records,
        images=ImageBlobs(records.database, blobs),
        site_key=site_key,
        lanes=lanes,
        locks=KeyedLocks(),
        failpoint=Failpoint(settings.failpoint),
    )


def _purger(tools: Tools, explainer: Explainer) -> Purger:
    blobs = explainer.parts.forgetter.purger
    return Purger(tools, blobs, forget_item=explainer.forget_item, forget_archive=explainer.forget_archive)


async def _load_default_model(models: LoadedModels, lanes: Lanes) -> None:
    """Have the default model ready for the first query; a service without it can still serve other archives."""
    try:
        digest = models.find("").digest
        await lanes.model.run(Priority.INTERACTIVE, models.embedder, digest)
    except ModelNotFoundError as error:
        _log.warning("service.default_model_missing", reason=error.reason)
