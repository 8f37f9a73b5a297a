"""Reading records while others are deleted, and finishing deletions that were cut short."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.records import MODEL, archive_record, item_record, unit_vector
from xmirad.archive.edge import EdgeStore
from xmirad.blobs import keys
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.rebuild import Rebuilder
from xmirad.catalog.stored import binding_of
from xmirad.catalog.verify import Problem, ProblemKind, verify_archive
from xmirad.types import Float32Array, UInt8Array


class DeletingStore(FolderBlobStore):
    """Deletes a blob between the moment it is listed and the moment it is read."""

    victim = ""

    def list(self, prefix: str) -> Iterator[str]:
        listed = list(super().list(prefix))
        if self.victim:
            self.delete(self.victim)
        yield from listed


@pytest.fixture
def blobs(tmp_path: Path) -> DeletingStore:
    return DeletingStore(tmp_path / "blobs")


@pytest.fixture
def catalog(blobs: DeletingStore) -> Catalog:
    return Catalog(blobs)


def test_an_archive_that_is_deleted_while_archives_are_listed_is_left_out(
    blobs: DeletingStore, catalog: Catalog
) -> None:
    kept = catalog.create_archive(archive_record())
    catalog.create_archive(archive_record(archive="skin"))
    blobs.victim = keys.archive("skin")
    assert catalog.archives() == [kept]


def test_an_item_that_is_deleted_while_it_is_read_is_not_there(blobs: DeletingStore, catalog: Catalog) -> None:
    record = item_record()
    catalog.put_item(record)
    blobs.victim = keys.item("chest", record.item, record.revision)
    assert catalog.item("chest", record.item) is None


def test_an_item_that_is_deleted_while_items_are_listed_is_left_out(blobs: DeletingStore, catalog: Catalog) -> None:
    gone, kept = item_record(0), item_record(1)
    catalog.put_item(gone)
    catalog.put_item(kept)
    blobs.victim = keys.item("chest", gone.item, gone.revision)
    assert list(catalog.items("chest")) == [kept]


def embed(pixels: UInt8Array) -> Float32Array:
    return np.stack([unit_vector(0) for _ in pixels])


def test_a_deletion_that_was_cut_short_is_reported_and_finished_by_a_rebuild(
    blobs: DeletingStore, catalog: Catalog, tmp_path: Path
) -> None:
    record, item, images = catalog.create_archive(archive_record()), item_record(), ImageBlobs(blobs)
    images.put_embedding(item.image, MODEL, unit_vector(0))
    catalog.put_item(item)
    catalog.bury_item("chest", item.item)  # and here the process dies: files, and a record full of identifiers, stay
    store = EdgeStore(tmp_path / "store")
    archive = store.create(binding_of(record))
    unfinished = Problem(ProblemKind.HALF_DELETED, item.item)
    assert unfinished in verify_archive(record, archive, catalog=catalog, images=images).problems
    Rebuilder(record, catalog=catalog, images=images, store=store, embed=embed).run()
    assert catalog.item("chest", item.item) is None
    assert catalog.is_buried("chest", item.item)
    assert list(images.digests()) == []
    rebuilt = store.open(binding_of(record))
    assert verify_archive(record, rebuilt, catalog=catalog, images=images).clean
    store.close()
