"""The methods of the asynchronous client that import folders; see `xmirad.client.importing`."""

from collections.abc import AsyncIterator, Iterable

from xmirad.client import import_calls
from xmirad.client.aio.connection import AioConnection
from xmirad.client.aio.watching import updates
from xmirad.client.import_types import Import, LocalDataset
from xmirad.client.watching import ImportWatch


class AioImportMethods:
    """Imports over a connection."""

    _connection: AioConnection

    async def create_import(
        self,
        archive: str,
        source: str | LocalDataset,
        *,
        split: str = "",
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        restore_deleted: bool = False,
        resend: bool = False,
    ) -> Import:
        """Begin to store images that the service's indexers reach; those that are there are found unchanged.

        Args:
            archive: The archive's id; it must be there.
            source: Alias of a folder, by the service's setting `imports.folders`; or, over the socket in the service's
                home, a data set by its path.
            split: Split of the data set, or `all`; empty for what its reader takes without one.
            include: Globs; if there are any, only files that match one are stored.
            exclude: Globs; files that match one are not stored.
            restore_deleted: Store images even though they were deleted before.
            resend: Decode and store also images that are there just so.

        Raises:
            AccessDeniedError: If a path is named by anyone but the owner of the home.
            ConcurrentImportError: If another import into the archive is not finished.
        """
        return await self._connection.run(
            import_calls.create_import(
                archive,
                source,
                split=split,
                include=include,
                exclude=exclude,
                restore_deleted=restore_deleted,
                resend=resend,
            )
        )

    async def get_import(self, name: str) -> Import:
        """Return an import as it is now."""
        return await self._connection.run(import_calls.get_import(name))

    def list_imports(self, *, archive: str = "") -> AsyncIterator[Import]:
        """Yield the imports into an archive, or all, in the order of their names."""
        return self._connection.entries(lambda token: import_calls.list_imports(archive, token))

    def watch_import(self, name: str) -> AsyncIterator[Import]:
        """Yield an import as it is now and after every change, until it has ended; see `watch_explanation`."""
        return updates(self._connection, ImportWatch(name, timeout_seconds=self._connection.timeout_seconds))

    async def cancel_import(self, name: str) -> Import:
        """Stop an import and return it; what it has stored stays, and one that has ended stays as it is."""
        return await self._connection.run(import_calls.cancel_import(name))
