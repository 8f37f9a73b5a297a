"""Compares an archive's part in the vector store with the truth. Offline: nothing may write meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from xmirad.archive.port import Archive, StoredItem
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.items import corrupt_item
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.catalog.stored import payload_of
from xmirad.errors import EmbeddingCorruptError, RecordCorruptError
from xmirad.types import Float32Array, OriginalsPolicy

# Runs of one model agree to this cosine; bytes may differ with the CPU.
LEAST_COSINE = 1 - 1e-5
PAGE = 500


class ProblemKind(StrEnum):
    """What can be wrong with an archive."""

    CATALOG_DAMAGED = "SQLite's check of the catalog's file"
    RECORD_CORRUPT = "an item's record cannot be read"
    NOT_INDEXED = "an item is not in the vector store"
    STALE = "the vector store describes an item otherwise than its record"
    EMBEDDING_DIFFERS = "the vector store holds another embedding than the catalog"
    EMBEDDING_MISSING = "an item has no readable embedding in the catalog"
    INPUT_MISSING = (
        "an item has no model input in the blob store, or a damaged one; try `--repair`, or upload the image again"
    )
    ORIGINAL_DAMAGED = (
        "the original of an item is missing, or not the file that was uploaded; put it back from your backup"
    )
    UNKNOWN_ITEM = "the vector store holds an item that has no record or was deleted"
    HALF_DELETED = "a deleted item has its records still, because its deletion was cut short"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `subject` is an item's id, or what SQLite says of its file."""

    kind: ProblemKind
    subject: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        archive: The archive's id.
        items: How many items its records hold.
        problems: Everything that is wrong.
    """

    archive: str
    items: int
    problems: tuple[Problem, ...]

    def items_with(self, kind: ProblemKind) -> list[str]:
        """Return the subjects of all problems of a kind."""
        return [problem.subject for problem in self.problems if problem.kind is kind]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_archive(record: ArchiveRecord, archive: Archive, *, catalog: Catalog, images: ImageBlobs) -> Verification:
    """Compare every record with its blobs and with the vector store, and every stored item with its record."""
    errors: list[RecordCorruptError] = []
    records = {item.item: item for item in catalog.items(record, on_corrupt=errors.append)}
    corrupt = [corrupt_item(error) for error in errors]
    problems = [Problem(ProblemKind.CATALOG_DAMAGED, line) for line in catalog.database.problems()]
    problems += [Problem(ProblemKind.RECORD_CORRUPT, item) for item in corrupt]
    problems += _problems_of_records(record, archive, records, catalog, images)
    problems += _problems_of_originals(record, records, images)
    problems += [Problem(ProblemKind.UNKNOWN_ITEM, item) for item in _unknown(archive, {*records, *corrupt})]
    problems += [Problem(ProblemKind.HALF_DELETED, item.item) for item in catalog.half_deleted(record)]
    return Verification(record.archive, len(records) + len(corrupt), tuple(problems))


def _problems_of_records(
    record: ArchiveRecord, archive: Archive, records: dict[str, ItemRecord], catalog: Catalog, images: ImageBlobs
) -> Iterator[Problem]:
    ids = list(records)
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        stored = {item.item: item for item in archive.get(page, with_embedding=True)}
        embeddings = catalog.embeddings(record, page)
        for item in page:
            if not _has_input(records[item], images):
                yield Problem(ProblemKind.INPUT_MISSING, item)
            yield from _problems_of_item(records[item], stored.get(item), embeddings.get(item), record.site)


def _problems_of_originals(
    record: ArchiveRecord, records: dict[str, ItemRecord], images: ImageBlobs
) -> Iterator[Problem]:
    """Read every file that the archive keeps, once for all its frames, and compare it with the digest that names it."""
    if record.originals is not OriginalsPolicy.COPY:
        return
    whole: dict[str, bool] = {}
    for item in records.values():
        if item.file not in whole:
            whole[item.file] = _has_original(item, images)
        if not whole[item.file]:
            yield Problem(ProblemKind.ORIGINAL_DAMAGED, item.item)


def _problems_of_item(
    item: ItemRecord, stored: StoredItem | None, embedding: Float32Array | EmbeddingCorruptError | None, site: str
) -> Iterator[Problem]:
    if embedding is None or isinstance(embedding, EmbeddingCorruptError):
        embedding = None
        yield Problem(ProblemKind.EMBEDDING_MISSING, item.item)
    if stored is None:
        yield Problem(ProblemKind.NOT_INDEXED, item.item)
        return
    if stored.payload != payload_of(item, site):
        yield Problem(ProblemKind.STALE, item.item)
    if embedding is not None and not _agree(embedding, stored.embedding):
        yield Problem(ProblemKind.EMBEDDING_DIFFERS, item.item)


def _agree(embedding: Float32Array, stored: Float32Array | None) -> bool:
    return stored is not None and float(np.dot(embedding, stored)) >= LEAST_COSINE


def _has_input(item: ItemRecord, images: ImageBlobs) -> bool:
    try:
        return images.input(item.image, item.preprocessing) is not None
    except EmbeddingCorruptError:
        return False


def _has_original(item: ItemRecord, images: ImageBlobs) -> bool:
    try:
        return images.original(item.file) is not None
    except EmbeddingCorruptError:
        return False


def _unknown(archive: Archive, known: set[str]) -> Iterator[str]:
    after: str | None = None
    while page := archive.scan(after=after, limit=PAGE):
        yield from (found.item for found in page if found.item not in known)
        after = page[-1].item
