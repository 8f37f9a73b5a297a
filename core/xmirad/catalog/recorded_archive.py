"""Reads an archive's items from their records, while its part in the vector store does not hold them all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from xmirad.archive.conditions import Condition, PayloadField
from xmirad.archive.matching import matches, values_of
from xmirad.archive.port import StoredItem
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.catalog.stored import payload_of
from xmirad.errors import EmbeddingCorruptError


class RecordedArchive:
    """Answers as a `SearchableArchive` does, but for queries. A filter costs the time to read all records."""

    def __init__(self, record: ArchiveRecord, catalog: Catalog) -> None:
        """Read an archive of a catalog."""
        self._record = record
        self._catalog = catalog

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        """Return items in the order of asking; those that are not there are left out."""
        found = self._catalog.find_items(self._record, items)
        stored = [self._stored(found[item]) for item in items if item in found]
        return self._embedded(stored) if with_embedding else stored

    def scan(
        self, *, after: str | None, limit: int, where: Condition | None = None, with_embedding: bool = False
    ) -> list[StoredItem]:
        """Return a page of items in the order of their ids, beginning behind the id `after`."""
        records = self._catalog.items(self._record, after=after or "")
        found = (item for item in map(self._stored, records) if where is None or _holds(where, item))
        page = list(islice(found, limit))
        return self._embedded(page) if with_embedding else page

    def count(self, where: Condition | None = None) -> int:
        """Count items exactly."""
        if where is None:
            return self._catalog.count_items(self._record)
        return sum(_holds(where, item) for item in map(self._stored, self._catalog.items(self._record)))

    def facet(self, field: PayloadField, *, where: Condition | None = None) -> dict[str, int]:
        """Count the items of every value of a field, exactly."""
        items = map(self._stored, self._catalog.items(self._record))
        kept = (item for item in items if where is None or _holds(where, item))
        return dict(Counter(value for item in kept for value in values_of(item.payload, field)))

    def _stored(self, record: ItemRecord) -> StoredItem:
        return StoredItem(record.item, payload_of(record, self._record.site), None, record.revision)

    def _embedded(self, items: Sequence[StoredItem]) -> list[StoredItem]:
        found = self._catalog.embeddings(self._record, [item.item for item in items])
        embeddings = {item: each for item, each in found.items() if not isinstance(each, EmbeddingCorruptError)}
        return [replace(item, embedding=embeddings.get(item.item)) for item in items]


def _holds(where: Condition, item: StoredItem) -> bool:
    return matches(where, item.item, item.payload)
