"""Imports as the service offers them: begun here, done by indexers, looked after here."""

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog

from xmirad.errors import ArchiveNotReadyError, BackendUnavailableError
from xmirad.imports.importing import Importing
from xmirad.imports.records import ImportRequest, ImportSnapshot
from xmirad.imports.store import ImportStore
from xmirad.indexing.runner import Lanes
from xmirad.lanes import Priority
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.queue.address import queue_url
from xmirad.queue.app import celery_app
from xmirad.queue.connection import connect
from xmirad.queue.import_queue import RedisImportQueue
from xmirad.settings import Settings
from xmirad_services.retrieval.door import current_caller, is_home_owner
from xmirad_services.retrieval.interceptors import as_domain_error
from xmirad_services.retrieval.open_archives import OpenArchives

LOOK_SECONDS = 0.2
_log = structlog.get_logger(__name__)


class Imports:
    """The imports, each shown to callers of its site. Belongs to one event loop."""

    def __init__(
        self,
        importing: Importing | None,
        archives: OpenArchives,
        lanes: Lanes,
        *,
        reads_paths: bool,
        sweep_seconds: float,
    ) -> None:
        """Offer imports; none can be begun where `importing` is None.

        With `reads_paths` the home's owner may name a path: its indexers run beside this service.
        """
        self.leaving = asyncio.Event()
        self.read_paths = reads_paths and importing is not None
        self._importing = importing
        self._archives = archives
        self._lanes = lanes
        self._sweep_seconds = sweep_seconds

    @property
    def are_possible(self) -> bool:
        """Whether there is a queue that indexers empty."""
        return self._importing is not None

    async def create(self, wanted: ImportRequest, *, answer: Callable[[ImportSnapshot], bytes]) -> ImportSnapshot:
        """Begin an import; `answer` maps it to what a replay of the call is answered with.

        Raises:
            ArchiveNotFoundError: If there is no such archive.
            ArchiveNotReadyError: If this service has no queue.
            InvalidRequestError: If no folder of the caller's site has this alias, or the path is not absolute.
            AccessDeniedError: If a path is named by anyone but the owner of the home.
            ConcurrentImportError: If another import into the archive is not finished.
        """
        importing, is_owner = self._require(), self.read_paths and is_home_owner()
        opened = await self._archives.get(wanted.archive, site=wanted.site)
        opened.require_artifact()
        return await self._lanes.blobs.run(
            Priority.INTERACTIVE, lambda: importing.create(wanted, is_owner=is_owner, answer=answer)
        )

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
            if found.state.is_terminal:  # whoever searches next finds what was stored
                opened = await self._archives.get(archive, site=current_caller().site)
                await self._archives.applier.has_caught_up(opened.record)
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

    async def require_idle(self, creation: str) -> None:
        """Refuse what must not happen while an import fills an archive.

        Raises:
            ConcurrentImportError: If one does.
        """
        if self._importing is not None:
            await self._lanes.blobs.run(Priority.INTERACTIVE, self._importing.require_idle, creation)

    async def keep_up(self, metrics: RetrievalMetrics) -> None:
        """Publish again, until cancelled, what the queue has lost, and show how imports are; without any do nothing."""
        while self._importing is not None:
            try:
                found = await self._lanes.blobs.run(Priority.BACKGROUND, self._importing.sweep)
                metrics.set_imports(waiting=found.waiting, failed_images=found.failed_images, failed=found.failed)
            except Exception as error:  # noqa: BLE001 - the next sweep goes on
                _log.warning("imports.not_swept", reason=as_domain_error(error).reason)
            await asyncio.sleep(self._sweep_seconds)

    def _require(self) -> Importing:
        if self._importing is None:
            message = "imports need a queue (queue.url) and an indexer; upload the images instead"
            raise ArchiveNotReadyError(message)
        return self._importing


def make_imports(settings: Settings, archives: OpenArchives, lanes: Lanes) -> Imports:
    """Connect to the queue, which need not answer yet, if there is one that indexers share."""
    url = queue_url(settings)
    importing = None
    if url is not None:
        importing = Importing(
            ImportStore(archives.catalog.database),
            RedisImportQueue(celery_app(url, settings.queue), connect(url)),
            site=settings.site,
            folders=settings.imports.folders,
        )
    # Indexers of a queue that is not the home's own may be on other machines.
    reads_paths = settings.queue.url is None
    return Imports(
        importing, archives, lanes, reads_paths=reads_paths, sweep_seconds=settings.explanations.sweep_seconds
    )
