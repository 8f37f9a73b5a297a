"""Makes an archive's part in the vector store again from the truth. Offline: nothing may write meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from xmirad.archive.port import ArchiveStore, StoredItem
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.indexes import Indexes
from xmirad.catalog.items import corrupt_item
from xmirad.catalog.orphans import delete_orphans, delete_unused
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.catalog.stored import binding_of, stored_item
from xmirad.errors import EmbeddingCorruptError, RecordCorruptError
from xmirad.types import Float32Array, UInt8Array

BATCH = 256
Embed = Callable[[UInt8Array], Float32Array]


@dataclass(slots=True)
class Rebuild:
    """What rebuilding came to.

    Attributes:
        archive: The archive's id.
        indexed: How many items the vector store holds now.
        embedded: How many embeddings were missing and were computed again from their model inputs.
        lost: Ids of items that have neither embedding nor model input; they stay recorded but are not searchable.
        corrupt: Ids of items whose records cannot be read; they are not searchable.
        orphans: How many images that no item has used for a day were removed from the blob store.
    """

    archive: str
    indexed: int = 0
    embedded: int = 0
    lost: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    orphans: int = 0


class Rebuilder:
    """Rebuilds one archive."""

    def __init__(
        self, record: ArchiveRecord, *, catalog: Catalog, images: ImageBlobs, store: ArchiveStore, embed: Embed
    ) -> None:
        """Rebuild from a catalog; `embed` maps uint8 `[N, size, size, 3]` to `[N, embedding_size]` with its model."""
        self._record = record
        self._catalog = catalog
        self._images = images
        self._store = store
        self._embed = embed
        self._report = Rebuild(record.archive)

    def run(self) -> Rebuild:
        """Fill an empty archive, finish deletions, and remove what no item uses.

        Raises:
            BackendUnavailableError: If a store fails; then it is to be repeated.
        """
        fresh = self._store.reset(binding_of(self._record))
        for batch in self._batches():
            fresh.upsert(batch)
        fresh.optimize()
        fresh.flush()
        fresh.close()
        indexes = Indexes(self._catalog.database)
        indexes.begin(self._record, total=self._report.indexed)
        indexes.finish(self._record)
        half_deleted = list(self._catalog.half_deleted(self._record))
        for found in half_deleted:
            delete_unused(self._catalog, self._images, found)
        self._catalog.forget_items(self._record, [found.item for found in half_deleted])
        self._report.orphans = delete_orphans(self._catalog, self._images)
        return self._report

    def _batches(self) -> Iterator[list[StoredItem]]:
        items = self._catalog.items(self._record, on_corrupt=self._note_corrupt)
        while page := list(islice(items, BATCH)):
            present = self._catalog.embeddings(self._record, [item.item for item in page])
            batch = []
            for item in page:
                embedding = self._embedding(item, present.get(item.item))
                if embedding is None:
                    self._report.lost += (item.item,)
                else:
                    batch.append(stored_item(item, self._record.site, embedding))
            self._report.indexed += len(batch)
            yield batch

    def _note_corrupt(self, error: RecordCorruptError) -> None:
        self._report.corrupt += (corrupt_item(error),)

    def _embedding(self, item: ItemRecord, present: Float32Array | EmbeddingCorruptError | None) -> Float32Array | None:
        if present is not None and not isinstance(present, EmbeddingCorruptError):
            return present
        try:
            pixels = self._images.input(item.image, item.preprocessing)
        except EmbeddingCorruptError:
            pixels = None
        if pixels is None:
            return None
        computed: Float32Array = self._embed(pixels[None])[0]
        self._catalog.put_embedding(self._record, item.item, computed)
        self._report.embedded += 1
        return computed
