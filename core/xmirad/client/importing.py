"""The methods of the synchronous client that import folders."""

from collections.abc import Iterable, Iterator

from xmirad.client import import_calls
from xmirad.client.connection import Connection
from xmirad.client.import_types import Import, LocalDataset
from xmirad.client.watching import ImportWatch, updates


class ImportMethods:
    """Imports over a connection."""

    _connection: Connection

    def create_import(
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
        return self._connection.run(
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

    def get_import(self, name: str) -> Import:
        """Return an import as it is now."""
        return self._connection.run(import_calls.get_import(name))

    def list_imports(self, *, archive: str = "") -> Iterator[Import]:
        """Yield the imports into an archive, or all, in the order of their names."""
        return self._connection.entries(lambda token: import_calls.list_imports(archive, token))

    def watch_import(self, name: str) -> Iterator[Import]:
        """Yield an import as it is now and after every change, until it has ended; see `watch_explanation`."""
        return updates(self._connection, ImportWatch(name, timeout_seconds=self._connection.timeout_seconds))

    def cancel_import(self, name: str) -> Import:
        """Stop an import and return it; what it has stored stays, and one that has ended stays as it is."""
        return self._connection.run(import_calls.cancel_import(name))
