"""Creates, cancels and looks after imports; the work is done by whoever takes their tasks."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from xmirad.errors import (
    BackendUnavailableError,
    ConcurrentImportError,
    ImportNotFoundError,
    InvalidRequestError,
    RecordCorruptError,
)
from xmirad.imports.ports import ImportQueue
from xmirad.imports.records import ImportFigures, ImportSnapshot
from xmirad.imports.store import ImportStore
from xmirad.types import ImportState

_log = logging.getLogger(__name__)


class Importing:
    """The imports of all sites, each shown to its own. Safe to use from many threads."""

    def __init__(
        self,
        store: ImportStore,
        queue: ImportQueue,
        *,
        site: str,
        folders: Iterable[str],
        step_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Import from folders, by their aliases, which belong to one site; a worker's step ends in `step_seconds`."""
        self._store = store
        self._queue = queue
        self._site = site
        self._folders = frozenset(folders)
        self._step_seconds = step_seconds
        self._clock = clock

    def create(
        self,
        archive: str,
        *,
        site: str,
        folder: str,
        split: str,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
    ) -> ImportSnapshot:
        """Begin an import into an archive that is there and the site's.

        Raises:
            InvalidRequestError: If no folder of the site has this alias.
            ArchiveNotFoundError: If the archive was deleted meanwhile.
            ConcurrentImportError: If another import into the archive is not finished.
            BackendUnavailableError: If the catalog fails. A queue that fails only delays the import.
        """
        folders = self._folders if site == self._site else frozenset()
        if folder not in folders:
            known = ", ".join(sorted(folders)) or "none; they are named in the setting imports.folders"
            message = f"no folder of the service has this alias; known are: {known}"
            raise InvalidRequestError(message, field="folder", metadata={"value": folder, "allowed": known})
        request = self._store.begin(archive, site=site, folder=folder, split=split, include=include, exclude=exclude)
        try:
            self._queue.publish(request, None)
        except BackendUnavailableError as error:  # it is stored, and the sweep publishes it
            _log.warning("import.not_published", extra={"reason": error.reason})
        return ImportSnapshot(request)

    def snapshot(self, archive: str, number: int, *, site: str) -> ImportSnapshot:
        """Return an import as it is now.

        Raises:
            ImportNotFoundError: If the site has none of that name.
        """
        found = self._store.snapshot(archive, number)
        if found.request.site != site:
            name = found.request.name
            raise ImportNotFoundError(f"there is no {name}", field="name", metadata={"import": name})
        return found

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
        return self._store.snapshot(archive, number)

    def require_idle(self, archive: str) -> None:
        """Refuse what must not happen while an import fills an archive.

        Raises:
            ConcurrentImportError: If one does, or was stopped so lately that a worker may still store an image.
        """
        latest = self._store.latest(archive)
        if latest is None or latest.state is ImportState.SUCCEEDED:
            return
        if latest.outcome is None:
            raise _running(latest.request.name)
        left = latest.outcome.finish_time + self._step_seconds - self._clock()
        if left > 0:
            raise _running(latest.request.name, seconds=left)

    def sweep(self, archives: Iterable[str]) -> ImportFigures:
        """Publish again what is neither done nor waiting, and return how the latest imports are."""
        found = [latest for archive in archives if (latest := self._latest(archive)) is not None]
        for latest in found:
            if latest.state.is_terminal:
                continue
            segments: Mapping[int | None, None] = dict.fromkeys(latest.unfinished())
            for segment in segments or [None]:
                self._queue.publish(latest.request, segment)
        return ImportFigures.of(found)

    def _latest(self, archive: str) -> ImportSnapshot | None:
        try:
            return self._store.latest(archive)
        except RecordCorruptError as error:  # named, and left: the others go on
            _log.warning("import.unreadable", extra={"reason": error.reason, **error.metadata})
            return None


def _running(name: str, *, seconds: float | None = None) -> ConcurrentImportError:
    message = f"{name} is not finished; wait for it or cancel it"
    if seconds is not None:
        message = f"{name} is being stopped; try again in {seconds:.0f} s"
    return ConcurrentImportError(message, metadata={"import": name}, retry_delay_seconds=seconds)
