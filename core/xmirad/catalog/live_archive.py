"""What searches see of an archive's part in the vector store: items that the catalog holds, and no others."""

from collections.abc import Callable, Collection, Sequence

from xmirad.archive.conditions import Condition, PayloadField
from xmirad.archive.port import Archive, ArchiveBinding, ScoredItem, StoredItem
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.records import ArchiveRecord
from xmirad.types import Float32Array

OnStale = Callable[[Collection[str]], None]


class LiveArchive:
    """Reads an archive, leaving out what was deleted whatever the vector store says; see `SearchableArchive`.

    Costs one statement a call. Counts are those of the vector store: they follow a moment later.
    """

    def __init__(self, archive: Archive, record: ArchiveRecord, catalog: Catalog, *, on_stale: OnStale) -> None:
        """Read an archive; `on_stale` is told which of its items are none of the catalog."""
        self._archive = archive
        self._record = record
        self._catalog = catalog
        self._on_stale = on_stale

    @property
    def binding(self) -> ArchiveBinding:
        """What the archive is bound to."""
        return self._archive.binding

    @property
    def always_exact(self) -> bool:
        """True if every query is compared with every item, asked for or not."""
        return self._archive.always_exact

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
            found = self._archive.query(embedding, top_k=asked, where=where, exact=exact, with_payload=with_payload)
            gone = self._not_live([item.item for item in found])
            kept = [item for item in found if item.item not in gone]
            if len(kept) >= top_k or len(found) < asked:
                return kept[:top_k]
            asked = top_k + 2 * len(gone)

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        """Return items in the order of asking; those that are not there are left out."""
        return self._live(self._archive.get(items, with_embedding=with_embedding))

    def scan(
        self, *, after: str | None, limit: int, where: Condition | None = None, with_embedding: bool = False
    ) -> list[StoredItem]:
        """Return a page of items; it is shorter than `limit` only at the end."""
        found: list[StoredItem] = []
        while len(found) < limit:
            page = self._archive.scan(after=after, limit=limit, where=where, with_embedding=with_embedding)
            found += self._live(page)
            if len(page) < limit:
                break
            after = page[-1].item
        return found[:limit]

    def count(self, where: Condition | None = None) -> int:
        """Count items exactly."""
        return self._archive.count(where)

    def facet(self, field: PayloadField, *, where: Condition | None = None) -> dict[str, int]:
        """Count the items of every value of a field, exactly."""
        return self._archive.facet(field, where=where)

    def _live(self, found: Sequence[StoredItem]) -> list[StoredItem]:
        gone = self._not_live([item.item for item in found])
        return [item for item in found if item.item not in gone]

    def _not_live(self, items: Sequence[str]) -> set[str]:
        gone = self._catalog.not_live(self._record, items) if items else set()
        if gone:
            self._on_stale(gone)
        return gone
