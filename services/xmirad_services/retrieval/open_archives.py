"""The archives that this process has open."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import structlog

from xmirad.archive.port import Archive, ArchiveStore, Beside, ReadableArchive, SearchableArchive, is_damage
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.indexes import Indexes
from xmirad.catalog.live_archive import IndexPlace, LiveArchive
from xmirad.catalog.marks import URGENT
from xmirad.catalog.recorded_archive import RecordedArchive
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import binding_of
from xmirad.errors import (
    ArchiveNotEmptyError,
    ArchiveNotFoundError,
    ArchiveNotReadyError,
    ArchiveRebuildingError,
    ModelMismatchError,
    ModelNotFoundError,
    SiteKeyMismatchError,
    XmiradError,
)
from xmirad.indexing.applier import Applier
from xmirad.indexing.mender import Mender
from xmirad.indexing.optimizing import MakeBeside, Optimizer
from xmirad.indexing.runner import IndexRunner, Tools
from xmirad.indexing.uninterrupted import uninterrupted
from xmirad.lanes import Priority
from xmirad.models.artifact import ModelArtifact
from xmirad.models.embedder import EmbeddedQuery
from xmirad.types import Float32Array, OriginalsPolicy, UInt8Array
from xmirad_services.retrieval.loaded_models import LoadedModels
from xmirad_services.retrieval.optimizing_child import make_beside_in_child

COUNT_SECONDS = 10.0
"""How often all items are counted."""
LOOK_SECONDS = 1.0
"""An open archive is used for so long before the catalog is asked whether it still is the one of its name."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenArchive:
    """An archive ready to be searched and filled. The model is loaded when it first embeds.

    Without its model, which may have been removed, items can still be read, found by others of them, and deleted.
    """

    record: ArchiveRecord
    archive: SearchableArchive
    place: IndexPlace
    recorded: ReadableArchive
    applier: Applier
    artifact: ModelArtifact | None
    embed_query: Callable[[UInt8Array], EmbeddedQuery]
    runner: IndexRunner | None

    @property
    def is_whole(self) -> bool:
        """Whether its index is there and holds every item."""
        return self.place.archive is not None and self.place.progress.state.is_whole

    @property
    def is_ready(self) -> bool:
        """Whether nothing keeps it from being searched and filled."""
        return self.artifact is not None and self.is_whole

    @property
    def items(self) -> ReadableArchive:
        """The archive's items, all of them in any state of its index."""
        return self.archive if self.is_whole else self.recorded

    def require_artifact(self) -> ModelArtifact:
        """Return the archive's model.

        Raises:
            ModelNotFoundError: If it is not installed.
        """
        if self.artifact is None:
            raise self._without_model()
        return self.artifact

    def require_runner(self) -> IndexRunner:
        """Return what fills the archive.

        Raises:
            ModelNotFoundError: If its model is not installed.
        """
        if self.runner is None:
            raise self._without_model()
        return self.runner

    def require_model(self, digest: str, *, field: str = "model") -> None:
        """Refuse a request that was made for another model.

        Raises:
            ModelMismatchError: If the archive is bound to another model.
        """
        if digest != self.record.model:
            message = "the archive was built with another model"
            metadata = {"archive": self.record.archive, "archive_model": self.record.model, "requested_model": digest}
            raise ModelMismatchError(message, field=field, metadata=metadata)

    def _without_model(self) -> ModelNotFoundError:
        message = "the model that the archive is bound to is not installed"
        metadata = {"archive": self.record.archive, "model": self.record.model}
        return ModelNotFoundError(message, metadata=metadata)


class OpenArchives:
    """Opens archives when they are first needed. Belongs to one event loop."""

    def __init__(
        self,
        store: ArchiveStore,
        models: LoadedModels,
        tools: Tools,
        *,
        make_beside: MakeBeside = make_beside_in_child,
    ) -> None:
        """Serve the archives of all sites, each to its own; `make_beside` makes what takes an archive's place."""
        self._store = store
        self._models = models
        self._tools = tools
        self._open: dict[tuple[str, str], OpenArchive] = {}
        self._looked: dict[tuple[str, str], float] = {}
        self._places: dict[str, IndexPlace] = {}
        self.indexes = Indexes(tools.catalog.database)
        self._next_count = float("-inf")
        self._sizes: dict[str, int] = {}
        self.applier = Applier(
            tools.catalog,
            tools.images,
            tools.lanes,
            open_in_store=self.handle,
            on_damage=self._note_damage,
            embed=lambda record, pixels: models.embedder(record.model).embed(pixels),
            holder=uuid4().hex,
            is_shared=store.kind != "edge",
            failpoint=tools.failpoint,
        )
        self.mender = Mender(
            tools.catalog,
            tools.lanes,
            self.applier,
            open_in_store=self.handle,
            reset_in_store=self._reset,
            is_optimized=store.beside is not None,
        )
        self._optimizer = Optimizer(
            tools.catalog,
            tools.lanes,
            self.applier,
            make_beside=make_beside,
            open_beside=self._open_beside,
            take_beside=self._take_beside,
        )

    @property
    def catalog(self) -> Catalog:
        """The records behind the archives."""
        return self._tools.catalog

    async def get(self, archive: str, *, site: str) -> OpenArchive:
        """Return an archive of a site.

        Raises:
            ArchiveNotFoundError: If there is none.
            ArchiveNotReadyError: If another process holds it.
            SiteKeyMismatchError: If it was built with another site key.
        """
        key = (site, archive)
        present, looked = self._open.get(key), self._looked.get(key, float("-inf"))
        if present is not None and present.is_ready and time.monotonic() - looked < LOOK_SECONDS:
            return present
        async with self.holding(site, archive):
            return await self._open_once(site, archive)

    def holding(self, site: str, archive: str) -> AbstractAsyncContextManager[None]:
        """Keep an archive from being opened, created or deleted in this process by anyone else."""
        return self._tools.locks.holding(f"archive/{site}/{archive}")

    async def create(self, archive: str, *, site: str, model: str, originals: OriginalsPolicy) -> OpenArchive:
        """Create an archive of a site, or return the one that is there with the same settings.

        Raises:
            ArchiveAlreadyExistsError: If it is there with other settings.
            ModelNotFoundError: If there is no such model.
        """
        artifact = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._models.find, model)
        record = ArchiveRecord(
            creation=uuid4().hex,
            archive=archive,
            site=site,
            model=artifact.digest,
            embedding_size=artifact.embedding_size,
            preprocessing=artifact.preprocessing.digest,
            site_key_fingerprint=self._tools.site_key.fingerprint,
            originals=originals,
            create_time=time.time(),
        )
        async with self.holding(site, archive):
            await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.catalog.create_archive, record)
            return await self._open_once(site, archive)

    async def records(self, *, site: str) -> list[ArchiveRecord]:
        """Return the records of a site's archives, by id."""
        return [record for record in await self.all_records() if record.site == site]

    async def all_records(self) -> list[ArchiveRecord]:
        """Return the records of all sites' archives, by id; for upkeep, never for an answer."""
        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.catalog.archives)

    async def _require_empty(self, opened: OpenArchive, *, force: bool) -> None:
        count = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.catalog.count_items, opened.record)
        if count and not force:
            archive = opened.record.archive
            message = f"archive {archive} holds {count} items; set force to delete them all"
            raise ArchiveNotEmptyError(message, field="force", metadata={"archive": archive, "items": str(count)})

    async def delete(
        self, opened: OpenArchive, *, force: bool, empty: Callable[[OpenArchive], Awaitable[None]]
    ) -> None:
        """Delete an archive: let its uploads end, delete by `empty` what goes by its name, then the archive itself.

        From then on there is no archive of that name, whatever happens; blobs and records are left to be purged.

        Raises:
            ArchiveNotEmptyError: If it holds items and `force` is not set.
            ArchiveNotFoundError: If it was deleted meanwhile.
        """
        site, archive = opened.record.site, opened.record.archive
        await self._require_empty(opened, force=force)
        async with self.holding(site, archive):
            if self._open.get((site, archive)) is not opened:
                raise _not_found(archive)
            del self._open[site, archive]
            if opened.runner is not None:
                await opened.runner.close()
            await self._require_empty(opened, force=force)
            await empty(opened)
            await uninterrupted(self._remove(opened.record))

    async def _remove(self, record: ArchiveRecord) -> None:
        await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.catalog.delete_archive, record)
        await self.drop(record.archive, record.creation)

    async def drop(self, archive: str, creation: str) -> None:
        """Drop what the vector store holds of a deleted archive.

        Raises:
            BackendUnavailableError: If the store fails.
        """
        async with self._tools.locks.holding(f"handle/{creation}"):
            self._places.pop(creation, None)
            await self._tools.lanes.store.run(Priority.INTERACTIVE, self._store.drop, archive, creation)

    async def close(self) -> None:
        """Close every archive and the store."""
        for place in self._places.values():
            if place.archive is not None:
                await self._tools.lanes.store.run(Priority.INTERACTIVE, place.archive.close)
        self._open.clear()
        self._places.clear()
        await self._tools.lanes.store.run(Priority.INTERACTIVE, self._store.close)

    async def keep_up(self) -> None:
        """Let the vector store follow the catalog, mend and optimize it, until cancelled."""
        work = [self.applier.keep_up(), self.mender.keep_up()]
        if self._store.beside is not None:
            work.append(self._optimizer.keep_up())
        await asyncio.gather(*work)

    def ping(self) -> None:
        """Ask the vector store for a sign of life, on its lane.

        Raises:
            BackendUnavailableError: If it does not answer.
        """
        self._store.ping()

    async def sizes(self) -> dict[str, int]:
        """Return how many items archives hold, by name: those of one name at several sites together."""

        def count() -> Counter[str]:
            sizes = Counter[str]()
            for record in self.catalog.archives():
                sizes[record.archive] += self.catalog.count_items(record)
            return sizes

        if time.monotonic() >= self._next_count:
            self._sizes = await self._tools.lanes.blobs.run(Priority.BACKGROUND, count)
            self._next_count = time.monotonic() + COUNT_SECONDS
        return self._sizes

    async def handle(self, record: ArchiveRecord) -> Archive:
        """Return an archive's part in the vector store, whether or not its model is installed.

        Raises:
            ArchiveNotFoundError: If the archive was deleted meanwhile.
            ArchiveNotReadyError: If another process holds it.
            ArchiveRebuildingError: If the vector store has lost it, or it is damaged; it is going to be made again.
        """
        async with self._tools.locks.holding(f"handle/{record.creation}"):
            place = await self._place(record)
            if place.archive is None:
                try:
                    opened = await self._tools.lanes.store.run(Priority.INTERACTIVE, self._opened_in_store, record)
                except XmiradError as error:
                    if not is_damage(error) and not isinstance(error, ModelMismatchError | SiteKeyMismatchError):
                        raise
                    await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._report_damage, place)
                    raise place.rebuilding() from error
                place.archive = opened
            return place.archive

    async def _reset(self, record: ArchiveRecord) -> Archive:
        """Make an archive's part in the vector store anew, empty."""
        async with self._tools.locks.holding(f"handle/{record.creation}"):
            place = await self._place(record)
            place.archive, place.progress = (
                None,
                await self._tools.lanes.blobs.run(Priority.BACKGROUND, self.indexes.progress, record),
            )
            place.archive = await self._tools.lanes.store.run(
                Priority.BACKGROUND, self._store.reset, binding_of(record)
            )
            return place.archive

    async def _open_beside(self, record: ArchiveRecord) -> Archive:
        return await self._tools.lanes.store.run(Priority.BACKGROUND, self._beside.open_beside, binding_of(record))

    async def _take_beside(self, record: ArchiveRecord) -> Archive:
        """Search from now on what was made beside an archive."""

        def take() -> Archive:
            place.archive = taken = self._beside.take_beside(binding_of(record))
            return taken

        async with self._tools.locks.holding(f"handle/{record.creation}"):
            place = await self._place(record)
            return await self._tools.lanes.store.run(Priority.BACKGROUND, take)

    @property
    def _beside(self) -> Beside:
        if self._store.beside is None:
            raise ArchiveNotReadyError("the vector store makes its graphs by itself")
        return self._store.beside

    async def _place(self, record: ArchiveRecord) -> IndexPlace:
        """Return where an archive's part in the vector store is, as far as that is known."""
        place = self._places.get(record.creation)
        if place is None:
            find = partial(self.catalog.archive, record.site, record.archive)
            present = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, find)
            if present.creation != record.creation:
                raise _not_found(record.archive)
            progress = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.indexes.progress, record)
            place = self._places.setdefault(record.creation, IndexPlace(record, progress))
        return place

    async def _note_damage(self, record: ArchiveRecord) -> None:
        """Ask for an index to be made again that failed while it was written to."""
        place = self._places.get(record.creation)
        if place is not None:
            place.archive = None
            await self._tools.lanes.blobs.run(Priority.BACKGROUND, self._report_damage, place)

    def _report_damage(self, place: IndexPlace) -> None:
        """Ask for an index to be made again; called on a thread."""
        self.indexes.report_damage(place.record)
        place.progress = self.indexes.progress(place.record)
        _log.warning("index.damaged", archive=place.record.archive)

    async def _open_once(self, site: str, archive: str) -> OpenArchive:
        """Return an archive as the catalog has it, opening it if it is not open; under its lock."""
        looked, key = time.monotonic(), (site, archive)
        try:
            record = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.catalog.archive, site, archive)
        except ArchiveNotFoundError:
            self._let_go(key)
            raise
        present = self._open.get(key)
        if present is not None and present.record.creation != record.creation:
            self._let_go(key)
            present = None
        if present is None or (present.artifact is None and await self._artifact(record) is not None):
            present = self._open[key] = await self._opened(record)
        await self._look(present.place)
        self._looked[key] = looked
        return present

    def _let_go(self, key: tuple[str, str]) -> None:
        """Forget an archive that another process has deleted; uploads under way end with an error of theirs."""
        present = self._open.pop(key, None)
        if present is None:
            return
        self._places.pop(present.record.creation, None)
        if present.runner is not None:
            present.runner.refuse()

    async def _artifact(self, record: ArchiveRecord) -> ModelArtifact | None:
        try:
            return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._models.find, record.model)
        except ModelNotFoundError:
            return None

    async def _opened(self, record: ArchiveRecord) -> OpenArchive:
        if record.site_key_fingerprint != self._tools.site_key.fingerprint:
            message = "the archive was built with another site key; provide that key"
            metadata = {"archive": record.archive, "archive_site_key": record.site_key_fingerprint}
            raise SiteKeyMismatchError(message, metadata=metadata)
        artifact, place = await self._artifact(record), await self._place(record)

        def embed(pixels: UInt8Array) -> Float32Array:
            return self._models.embedder(record.model).embed(pixels)

        def embed_query(pixels: UInt8Array) -> EmbeddedQuery:
            return self._models.embedder(record.model).embed_query(pixels)

        runner = None
        if artifact is not None:
            recipe, following = artifact.preprocessing, self.applier.following
            runner = IndexRunner(record, embed, recipe, self._tools, following=following, priority=URGENT)
        note_stale = partial(self.applier.note_stale, record)
        archive = LiveArchive(place, self.catalog, on_stale=note_stale, on_damage=self._report_damage)
        recorded = RecordedArchive(record, self.catalog)
        return OpenArchive(record, archive, place, recorded, self.applier, artifact, embed_query, runner)

    async def _look(self, place: IndexPlace) -> None:
        """Look how far an index is, and open it if it can be opened."""
        progress = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self.indexes.progress, place.record)
        place.progress = progress
        with suppress(ArchiveRebuildingError):
            await self.handle(place.record)

    def _opened_in_store(self, record: ArchiveRecord) -> Archive:
        """Open the archive where it is; make it only if nothing was ever stored, so that a lost store is noticed."""
        try:
            return self._store.open(binding_of(record))
        except ArchiveNotFoundError:
            if self.catalog.has_items(record):
                raise
        return self._store.create(binding_of(record))


def _not_found(archive: str) -> ArchiveNotFoundError:
    return ArchiveNotFoundError(f"there is no archive {archive}", metadata={"archive": archive})
