"""Opens archives for storing, anew for every step: they may have been rebuilt or deleted meanwhile."""

from collections.abc import Callable

from xmirad.archive.port import ArchiveStore
from xmirad.catalog.stored import binding_of
from xmirad.errors import ArchiveNotFoundError, ArchiveNotReadyError, SiteKeyMismatchError
from xmirad.imports.records import ImportRequest
from xmirad.imports.stepping import Put
from xmirad.indexing.incoming import IncomingItem
from xmirad.indexing.runner import IndexRunner, Tools
from xmirad.lanes import Priority
from xmirad.models.embedder import BackboneEmbedder
from xmirad.types import UploadState


class Archives:
    """The archives, on a vector store that other processes use as well. Belongs to one event loop."""

    def __init__(self, store: ArchiveStore, tools: Tools, embedder_of: Callable[[str], BackboneEmbedder]) -> None:
        """Store in archives."""
        self._store = store
        self._tools = tools
        self._embedder_of = embedder_of

    async def open(self, request: ImportRequest) -> Put:
        """Return what stores an image in the archive of an import.

        Raises:
            ArchiveNotFoundError: If there is none, or it belongs to another site.
            ArchiveNotReadyError: If the vector store has lost it.
            SiteKeyMismatchError: If it was built with another site key.
            ModelNotFoundError: If its model is not installed.
            BackendUnavailableError: If blob store or vector store fail.
        """
        archive = request.archive
        record = self._tools.catalog.archive(archive)
        if record.site != request.site:
            raise ArchiveNotFoundError(f"there is no archive {archive}", metadata={"archive": archive})
        if record.site_key_fingerprint != self._tools.site_key.fingerprint:
            message = "the archive was built with another site key; provide that key"
            metadata = {"archive": archive, "archive_site_key": record.site_key_fingerprint}
            raise SiteKeyMismatchError(message, metadata=metadata)
        embedder = self._embedder_of(record.model)
        try:
            handle = await self._tools.lanes.store.run(Priority.BACKGROUND, self._store.open, binding_of(record))
        except ArchiveNotFoundError:
            message = f"the vector store has lost archive {archive}; run `xmirad archive rebuild {archive}`"
            raise ArchiveNotReadyError(message, metadata={"archive": archive}) from None
        runner = IndexRunner(record, handle, embedder.embed, embedder.artifact.preprocessing, self._tools)

        async def put(incoming: IncomingItem) -> UploadState:
            return (await runner.store(incoming)).state

        return put
