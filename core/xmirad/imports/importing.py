"""Creates, cancels and looks after imports; the work is done by whoever takes their tasks."""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath

from xmirad.errors import AccessDeniedError, BackendUnavailableError, InvalidRequestError
from xmirad.imports.ports import ImportQueue
from xmirad.imports.records import ImportFigures, ImportRequest, ImportSnapshot
from xmirad.imports.store import ImportStore
from xmirad.types import ImportState

_log = logging.getLogger(__name__)


class Importing:
    """The imports of all sites, each shown to its own. Safe to use from many threads."""

    def __init__(self, store: ImportStore, queue: ImportQueue, *, site: str, folders: Iterable[str]) -> None:
        """Import from folders, by their aliases, which belong to one site."""
        self._store = store
        self._queue = queue
        self._site = site
        self._folders = frozenset(folders)

    def create(
        self, wanted: ImportRequest, *, is_owner: bool, answer: Callable[[ImportSnapshot], bytes]
    ) -> ImportSnapshot:
        """Begin an import into an archive that is there and the site's.

        Args:
            wanted: What to import.
            is_owner: Whether the caller is the owner of the service's home, who may name any path of its own.
            answer: Maps the import to what a replay of the call is answered with.

        Raises:
            InvalidRequestError: If no folder of the site has this alias, or the path is not absolute.
            AccessDeniedError: If a path is named by anyone but the owner of the home.
            ArchiveNotFoundError: If the archive was deleted meanwhile.
            ConcurrentImportError: If another import into the archive is not finished.
            BackendUnavailableError: If the catalog fails. A queue that fails only delays the import.
        """
        if wanted.path:
            _check_path(wanted, is_owner=is_owner)
        else:
            self._check_alias(wanted)
        begun = self._store.begin(wanted, answer=answer)
        try:
            self._queue.publish(begun.request, None)
        except BackendUnavailableError as error:  # it is stored, and the sweep publishes it
            _log.warning("import.not_published", extra={"reason": error.reason})
        return begun

    def snapshot(self, archive: str, number: int, *, site: str) -> ImportSnapshot:
        """Return an import as it is now.

        Raises:
            ImportNotFoundError: If the site has none of that name.
        """
        return self._store.snapshot(site, archive, number)

    def page(self, *, site: str, archive: str = "", after: str, limit: int) -> list[ImportSnapshot]:
        """Return at most `limit` imports of a site, in the order of their names, behind the name `after`.

        Those into one archive, or into all if it is empty.
        """
        return self._store.page(site=site, archive=archive, after=after, limit=limit)

    def cancel(self, archive: str, number: int, *, site: str) -> ImportSnapshot:
        """Stop an import and return it; images stored stay, and one that has ended stays as it is.

        Raises:
            ImportNotFoundError: If the site has none of that name.
        """
        found = self.snapshot(archive, number, site=site)
        if not found.state.is_terminal:
            self._store.finish(found.request, ImportState.CANCELLED)
        return self._store.snapshot(site, archive, number)

    def require_idle(self, creation: str) -> None:
        """Refuse what must not happen while an import fills an archive.

        Raises:
            ConcurrentImportError: If one does.
        """
        self._store.require_idle(creation)

    def sweep(self) -> ImportFigures:
        """Publish again what is neither done nor waiting, and return how the latest imports are."""
        found = self._store.latest()
        for latest in found:
            if latest.state.is_terminal:
                continue
            segments: Mapping[int | None, None] = dict.fromkeys(latest.unfinished())
            for segment in segments or [None]:
                self._queue.publish(latest.request, segment)
        return ImportFigures.of(found)

    def _check_alias(self, wanted: ImportRequest) -> None:
        folders = self._folders if wanted.site == self._site else frozenset()
        if wanted.folder not in folders:
            known = ", ".join(sorted(folders)) or "none; they are named in the setting imports.folders"
            message = f"no folder of the service has this alias; known are: {known}"
            metadata = {"value": wanted.folder, "allowed": known}
            raise InvalidRequestError(message, field="folder", metadata=metadata)


def _check_path(wanted: ImportRequest, *, is_owner: bool) -> None:
    if not is_owner:
        message = (
            "dataset.path is for the owner of the service's home, over the socket in it, where `xmirad up` runs the "
            "indexer; name the alias of a folder, or upload the images"
        )
        raise AccessDeniedError(message, field="dataset.path")
    for field, path in (("dataset.path", wanted.path), ("dataset.images_path", wanted.images)):
        if path and not PurePath(path).is_absolute():
            raise InvalidRequestError(f"{field} must be an absolute path", field=field, metadata={"value": path})
