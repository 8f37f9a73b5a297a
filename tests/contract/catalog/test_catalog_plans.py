"""Every list and every look-up goes by an index: no statement reads a whole table."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from support.plans import assert_no_scan
from support.records import MODEL, archive_record, item_record, unit_vector
from xmirad.catalog import items
from xmirad.catalog.catalog import Catalog

CHEST = archive_record()
ITEMS = [item_record(number) for number in range(40)]
IDS = [record.item for record in ITEMS[:3]]
IMAGES = [record.image for record in ITEMS[:3]]

READS: dict[str, Callable[[Catalog], Any]] = {
    "archive by name": lambda catalog: catalog.archive("local", "chest"),
    "archives": lambda catalog: catalog.archives(),
    "deleted archives": lambda catalog: catalog.deleted_archives(),
    "calibration": lambda catalog: catalog.calibration(CHEST),
    "item": lambda catalog: catalog.item(CHEST, IDS[0]),
    "some items": lambda catalog: catalog.find_items(CHEST, IDS),
    "item's state": lambda catalog: catalog.item_state(CHEST, IDS[0]),
    "items": lambda catalog: list(catalog.items(CHEST)),
    "has items": lambda catalog: catalog.has_items(CHEST),
    "half-deleted items": lambda catalog: list(catalog.half_deleted(CHEST)),
    "references": lambda catalog: catalog.references(CHEST, IDS),
    "images in use": lambda catalog: catalog.database.read(partial(items.images_in_use, digests=IMAGES)),
    "files to keep": lambda catalog: catalog.database.read(partial(items.files_to_keep, digests=IMAGES)),
    "embeddings": lambda catalog: catalog.embeddings(CHEST, IDS),
    "embedding of an image": lambda catalog: catalog.embedding_of_image(IMAGES[0], MODEL),
    "replacing an embedding": lambda catalog: catalog.put_embedding(CHEST, IDS[0], unit_vector(1)),
    "forgetting items": lambda catalog: catalog.forget_items(CHEST, IDS),
    "deleting an archive": lambda catalog: catalog.delete_archive(CHEST),
    "forgetting an archive": lambda catalog: catalog.forget_archive(CHEST.creation),
}


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.create_archive(CHEST)
    for record in ITEMS:
        catalog.put_item(record, unit_vector(0))
    catalog.add_tombstones(CHEST, IDS)
    return catalog


@pytest.mark.parametrize("name", READS)
def test_nothing_reads_a_whole_table(filled: Catalog, name: str) -> None:
    assert_no_scan(filled.database, lambda: READS[name](filled))
