"""Imports as the service offers them: begun here, done by indexers, looked after here."""

import asyncio
from collections.abc import AsyncIterator

import structlog

from xmirad.catalog.requests import is_repeated
from xmirad.errors import ArchiveNotReadyError, BackendUnavailableError, ConcurrentImportError
from xmirad.ids import parse_import_name
from xmirad.imports.importing import Importing
from xmirad.imports.records import ImportSnapshot
from xmirad.imports.store import ImportStore
from xmirad.indexing.runner import Lanes
from xmirad.lanes import Priority
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.queue.address import queue_url
from xmirad.queue.app import celery_app
from xmirad.queue.connection import connect
from xmirad.queue.import_queue import RedisImportQueue
from xmirad.settings import Settings, StoreKind
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.interceptors import as_domain_error
from xmirad_services.retrieval.open_archives import OpenArchives

LOOK_SECONDS = 0.5
_log = structlog.get_logger(__name__)


class Imports:
    """The imports, each shown to callers of its site. Belongs to one event loop.

    Where the vector store is embedded, only this process may open it, and there are none: clients upload instead.
    """

    def __init__(
        self, importing: Importing | None, archives: OpenArchives, lanes: Lanes, *, sweep_seconds: float
    ) -> None:
        """Offer imports; none can be begun where `importing` is None."""
        self.leaving = asyncio.Event()
        self._importing = importing
        self._archives = archives
        self._lanes = lanes
        self._sweep_seconds = sweep_seconds

    @property
    def are_possible(self) -> bool:
        """Whether there are a queue and a store that indexers reach."""
        return self._importing is not None

    async def create(
        self, archive: str, *, folder: str, split: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
    ) -> ImportSnapshot:
        """Begin an import.

        Raises:
            ArchiveNotFoundError: If there is no such archive.
            ArchiveNotReadyError: If this service has no queue, or embeds its vector store.
            InvalidRequestError: If no folder of the caller's site has this alias.
            ConcurrentImportError: If another import into the archive is not finished.
        """
        importing = self._require()
        site = current_caller().site
        opened = await self._archives.get(archive, site=site)
        opened.require_artifact()

        def create() -> ImportSnapshot:
            try:
                return importing.create(
                    archive, site=site, folder=folder, split=split, include=include, exclude=exclude
                )
            except ConcurrentImportError as error:
                running = importing.snapshot(*parse_import_name(error.metadata["import"], field="name"), site=site)
                found = running.request
                asked = (found.folder, found.split, found.include, found.exclude) == (folder, split, include, exclude)
                if asked and is_repeated():
                    return running  # begun when the request was sent before
                raise

        return await self._lanes.blobs.run(Priority.INTERACTIVE, create)

    async def snapshot(self, archive: str, number: int) -> ImportSnapshot:
        """Return an import as it is now."""
        importing, site = self._require(), current_caller().site
        return await self._lanes.blobs.run(Priority.INTERACTIVE, lambda: importing.snapshot(archive, number, site=site))

    async def page(self, archive: str, *, after: str, limit: int) -> list[ImportSnapshot]:
        """Return imports into an archive, or into all for an empty id, in the order of their names."""
        importing, site = self._require(), current_caller().site
        if archive:
            await self._archives.get(archive, site=site)
        return await self._lanes.blobs.run(
            Priority.INTERACTIVE, lambda: importing.page(site=site, archive=archive, after=after, limit=limit)
        )

    async def cancel(self, archive: str, number: int) -> ImportSnapshot:
        """Stop an import."""
        importing, site = self._require(), current_caller().site
        return await self._lanes.blobs.run(Priority.INTERACTIVE, lambda: importing.cancel(archive, number, site=site))

    async def watch(self, archive: str, number: int) -> AsyncIterator[ImportSnapshot]:
        """Yield an import as it is now, and again after every change, until it has ended."""
        seen: ImportSnapshot | None = None
        while seen is None or not seen.state.is_terminal:
            if seen is not None:
                await self._pause()
            found = await self.snapshot(archive, number)
            if seen is None or (found.state, found.done) != (seen.state, seen.done):
                yield found
            seen = found

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self.leaving.wait(), LOOK_SECONDS)
        except TimeoutError:
            return
        message = "the service is about to stop; watch again"
        raise BackendUnavailableError(message, metadata={"backend": "service"}, retry_delay_seconds=LOOK_SECONDS)

    async def require_idle(self, archive: str) -> None:
        """Refuse what must not happen while an import fills an archive.

        Raises:
            ConcurrentImportError: If one does.
        """
        if self._importing is not None:
            await self._lanes.blobs.run(Priority.INTERACTIVE, self._importing.require_idle, archive)

    async def keep_up(self, metrics: RetrievalMetrics) -> None:
        """Publish again, until cancelled, what the queue has lost, and show how imports are; without any do nothing."""
        while self._importing is not None:
            try:
                archives = [record.archive for record in await self._archives.all_records()]
                found = await self._lanes.blobs.run(Priority.BACKGROUND, self._importing.sweep, archives)
                metrics.set_imports(waiting=found.waiting, failed_images=found.failed_images, failed=found.failed)
            except Exception as error:  # noqa: BLE001 - the next sweep goes on
                _log.warning("imports.not_swept", reason=as_domain_error(error).reason)
            await asyncio.sleep(self._sweep_seconds)

    def _require(self) -> Importing:
        if self._importing is None:
            message = "imports need a Qdrant server (store.kind) and a queue (queue.url); upload with `xmirad index`"
            raise ArchiveNotReadyError(message)
        return self._importing


def make_imports(settings: Settings, archives: OpenArchives, lanes: Lanes) -> Imports:
    """Connect to the queue, which need not answer yet, if there is one that indexers share."""
    url = queue_url(settings)
    importing = None
    if url is not None and settings.store.kind is StoreKind.QDRANT:
        importing = Importing(
            ImportStore(archives.catalog.database),
            RedisImportQueue(celery_app(url, settings.queue), connect(url)),
            site=settings.site,
            folders=settings.imports.folders,
            step_seconds=settings.queue.task_seconds,
        )
    return Imports(importing, archives, lanes, sweep_seconds=settings.explanations.sweep_seconds)
