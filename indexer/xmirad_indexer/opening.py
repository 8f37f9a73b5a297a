"""Opens archives for storing, anew for every step: they may have been deleted meanwhile.

Nothing here writes to the vector store: whoever applies the marks does.
"""

from collections.abc import Callable

from xmirad.errors import SiteKeyMismatchError
from xmirad.imports.records import ImportRequest
from xmirad.imports.stepping import Put
from xmirad.indexing.incoming import IncomingItem
from xmirad.indexing.runner import IndexRunner, Tools
from xmirad.models.embedder import BackboneEmbedder
from xmirad.types import UploadState


class Archives:
    """The archives of the catalog. Belongs to one event loop."""

    def __init__(self, tools: Tools, embedder_of: Callable[[str], BackboneEmbedder]) -> None:
        """Store in archives."""
        self._tools = tools
        self._embedder_of = embedder_of

    async def open(self, request: ImportRequest) -> Put:
        """Return what stores an image in the archive of an import.

        Raises:
            ArchiveNotFoundError: If there is none.
            SiteKeyMismatchError: If it was built with another site key.
            ModelNotFoundError: If its model is not installed.
            BackendUnavailableError: If catalog or blob store fail.
        """
        archive = request.archive
        record = self._tools.catalog.archive(request.site, archive)
        if record.site_key_fingerprint != self._tools.site_key.fingerprint:
            message = "the archive was built with another site key; provide that key"
            metadata = {"archive": archive, "archive_site_key": record.site_key_fingerprint}
            raise SiteKeyMismatchError(message, metadata=metadata)
        embedder = self._embedder_of(record.model)
        runner = IndexRunner(record, embedder.embed, embedder.artifact.preprocessing, self._tools)

        async def put(incoming: IncomingItem) -> UploadState:
            if not request.resend and await runner.holds(incoming):
                return UploadState.UNCHANGED
            return (await runner.store(incoming)).state

        return put
