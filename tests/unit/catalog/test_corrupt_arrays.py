"""Stored arrays that are readable but wrong, and what rebuilding makes of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.catalogs import sqlite_catalog
from support.records import MODEL, archive_record, item_record, unit_vector
from xmirad.archive.edge import EdgeStore
from xmirad.blobs import keys
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.rebuild import Rebuilder
from xmirad.catalog.stored import binding_of
from xmirad.errors import EmbeddingCorruptError
from xmirad.types import Float32Array, UInt8Array

ITEM = item_record()
PIXELS = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobStore:
    return FolderBlobStore(tmp_path / "blobs")


@pytest.fixture
def rebuilder(blobs: FolderBlobStore, tmp_path: Path) -> Iterator[Rebuilder]:
    catalog, store = sqlite_catalog(tmp_path), EdgeStore(tmp_path / "store")
    record = catalog.create_archive(archive_record())
    catalog.put_item(ITEM)
    store.create(binding_of(record))
    yield Rebuilder(record, catalog=catalog, images=ImageBlobs(blobs), store=store, embed=embed)
    store.close()
    catalog.database.close()


def embed(pixels: UInt8Array) -> Float32Array:
    return np.stack([unit_vector(0) for _ in pixels])


def test_an_embedding_that_the_vector_store_would_refuse_is_corrupt(blobs: FolderBlobStore) -> None:
    images = ImageBlobs(blobs)
    images.put_embedding(ITEM.image, MODEL, unit_vector(0) * np.float32(1.0005))
    with pytest.raises(EmbeddingCorruptError):
        images.embedding(ITEM.image, MODEL)


def test_an_embedding_that_is_no_unit_vector_is_computed_again(blobs: FolderBlobStore, rebuilder: Rebuilder) -> None:
    images = ImageBlobs(blobs)
    images.put_input(ITEM.image, ITEM.preprocessing, PIXELS)
    images.put_embedding(ITEM.image, MODEL, unit_vector(0) * np.float32(1.0005))
    assert rebuilder.run().embedded == 1


def test_an_item_whose_arrays_are_both_corrupt_is_lost_and_the_others_are_not(
    blobs: FolderBlobStore, rebuilder: Rebuilder, tmp_path: Path
) -> None:
    other, images, catalog = item_record(1), ImageBlobs(blobs), sqlite_catalog(tmp_path, create=False)
    catalog.put_item(other)
    catalog.database.close()
    images.put_embedding(other.image, MODEL, unit_vector(1))
    for key in (keys.model_input(ITEM.image, ITEM.preprocessing), keys.embedding(ITEM.image, MODEL)):
        blobs.put(key, b"garbage")
    report = rebuilder.run()
    assert (report.indexed, report.lost) == (1, (ITEM.item,))


@pytest.mark.parametrize("damage", [b"", b"garbage"])
def test_an_input_that_cannot_be_read_is_replaced_when_it_is_stored_again(
    blobs: FolderBlobStore, damage: bytes
) -> None:
    images = ImageBlobs(blobs)
    blobs.put(keys.model_input(ITEM.image, ITEM.preprocessing), damage)
    images.put_input(ITEM.image, ITEM.preprocessing, PIXELS)
    stored = images.input(ITEM.image, ITEM.preprocessing)
    assert stored is not None
    assert np.array_equal(stored, PIXELS)
