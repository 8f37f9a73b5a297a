"""What searches see of an archive's part in the vector store: items that the catalog holds, and no others."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from xmirad.archive.conditions import Condition, PayloadField
from xmirad.archive.port import Archive, ArchiveBinding, ScoredItem, StoredItem, is_damage
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.records import ArchiveRecord, IndexProgress
from xmirad.catalog.stored import binding_of
from xmirad.errors import ArchiveRebuildingError, XmiradError
from xmirad.types import Float32Array

REBUILDING_SECONDS = 2.0
OnStale = Callable[[Collection[str]], None]
OnDamage = Callable[["IndexPlace"], None]


@dataclass(slots=True)
class IndexPlace:
    """An archive's part in the vector store, as this process knows it; it is changed as that changes.

    Attributes:
        record: The archive.
        progress: What its index is good for.
        archive: The open part, or None where there is none that can be used.
    """

    record: ArchiveRecord
    progress: IndexProgress
    archive: Archive | None = None

    def require(self) -> Archive:
        """Return the open part.

        Raises:
            ArchiveRebuildingError: If there is none.
        """
        if self.archive is None:
            raise self.rebuilding()
        return self.archive

    def require_whole(self, *, allow_partial: bool) -> IndexProgress | None:
        """Return None if the index holds every item, or how far it is if a part will do.

        Raises:
            ArchiveRebuildingError: If it is not whole and is wanted whole, or is not there at all.
        """
        if self.progress.state.is_whole and self.archive is not None:
            return None
        if self.archive is None or not allow_partial:
            raise self.rebuilding()
        return self.progress

    def rebuilding(self) -> ArchiveRebuildingError:
        """Return what to tell whoever needs the index."""
        archive, progress = self.record.archive, self.progress
        message = "the archive's index is being made again from the catalog; that ends by itself"
        metadata = {"archive": archive, "done": str(progress.done), "total": str(progress.total)}
        return ArchiveRebuildingError(message, metadata=metadata, retry_delay_seconds=REBUILDING_SECONDS)


class LiveArchive:
    """Reads an archive, leaving out what was deleted whatever the vector store says; see `SearchableArchive`.

    Costs one statement a call. Counts are those of the vector store: they follow a moment later. Every method raises
    `ArchiveRebuildingError` if the store has lost the archive, or its part is damaged.
    """

    def __init__(self, place: IndexPlace, catalog: Catalog, *, on_stale: OnStale, on_damage: OnDamage) -> None:
        """Read an archive.

        Args:
            place: Where it is.
            catalog: The truth.
            on_stale: Told which of the store's items are none of the catalog.
            on_damage: Told of a place whose part of the store is of no use any more.
        """
        self._place = place
        self._catalog = catalog
        self._on_stale = on_stale
        self._on_damage = on_damage

    @property
    def binding(self) -> ArchiveBinding:
        """What the archive is bound to."""
        return binding_of(self._place.record)

    @property
    def always_exact(self) -> bool:
        """True if every query is compared with every item, asked for or not."""
        return self._place.require().always_exact

    def query(
        self,
        embedding: Float32Array,
        *,
        top_k: int,
        where: Condition | None = None,
        exact: bool = False,
        with_payload: bool = True,
    ) -> list[ScoredItem]:
        """Return the nearest items; others take the places of those that are left out."""
        asked = top_k
        while True:
            with self._used() as archive:
                found = archive.query(embedding, top_k=asked, where=where, exact=exact, with_payload=with_payload)
            gone = self._not_live([item.item for item in found])
            kept = [item for item in found if item.item not in gone]
            if len(kept) >= top_k or len(found) < asked:
                return kept[:top_k]
            asked = top_k + 2 * len(gone)

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        """Return items in the order of asking; those that are not there are left out."""
        with self._used() as archive:
            found = archive.get(items, with_embedding=with_embedding)
        return self._live(found)

    def scan(
        self, *, after: str | None, limit: int, where: Condition | None = None, with_embedding: bool = False
    ) -> list[StoredItem]:
        """Return a page of items; it is shorter than `limit` only at the end."""
        found: list[StoredItem] = []
        while len(found) < limit:
            with self._used() as archive:
                page = archive.scan(after=after, limit=limit, where=where, with_embedding=with_embedding)
            found += self._live(page)
            if len(page) < limit:
                break
            after = page[-1].item
        return found[:limit]

    def count(self, where: Condition | None = None) -> int:
        """Count items exactly."""
        with self._used() as archive:
            return archive.count(where)

    def facet(self, field: PayloadField, *, where: Condition | None = None) -> dict[str, int]:
        """Count the items of every value of a field, exactly."""
        with self._used() as archive:
            return archive.facet(field, where=where)

    @contextmanager
    def _used(self) -> Iterator[Archive]:
        try:
            yield self._place.require()
        except XmiradError as error:
            if not is_damage(error):
                raise
            self._place.archive = None
            self._on_damage(self._place)
            raise self._place.rebuilding() from error

    def _live(self, found: Sequence[StoredItem]) -> list[StoredItem]:
        gone = self._not_live([item.item for item in found])
        return [item for item in found if item.item not in gone]

    def _not_live(self, items: Sequence[str]) -> set[str]:
        gone = self._catalog.not_live(self._place.record, items) if items else set()
        if gone:
            self._on_stale(gone)
        return gone
