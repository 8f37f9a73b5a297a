"""Stored arrays that are readable but wrong, and what rebuilding makes of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.catalogs import damage_embedding, sqlite_catalog
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
    catalog.put_item(ITEM, unit_vector(0))
    store.create(binding_of(record))
    yield Rebuilder(record, catalog=catalog, images=ImageBlobs(blobs), store=store, embed=embed)
    store.close()
    catalog.database.close()


def embed(pixels: UInt8Array) -> Float32Array:
    return np.stack([unit_vector(0) for _ in pixels])


def test_an_embedding_that_the_vector_store_would_refuse_is_corrupt(rebuilder: Rebuilder, tmp_path: Path) -> None:
    catalog = sqlite_catalog(tmp_path, create=False)
    catalog.put_embedding(archive_record(), ITEM.item, unit_vector(0) * np.float32(1.0005))
    with pytest.raises(EmbeddingCorruptError):
        catalog.embedding_of_image(ITEM.image, MODEL)
    catalog.database.close()


def test_an_embedding_that_is_no_unit_vector_is_computed_again(
    blobs: FolderBlobStore, rebuilder: Rebuilder, tmp_path: Path
) -> None:
    catalog = sqlite_catalog(tmp_path, create=False)
    ImageBlobs(blobs).put_input(ITEM.image, ITEM.preprocessing, PIXELS)
    catalog.put_embedding(archive_record(), ITEM.item, unit_vector(0) * np.float32(1.0005))
    assert rebuilder.run().embedded == 1
    assert catalog.embedding_of_image(ITEM.image, MODEL) is not None
    catalog.database.close()


def test_an_item_whose_arrays_are_both_corrupt_is_lost_and_the_others_are_not(
    blobs: FolderBlobStore, rebuilder: Rebuilder, tmp_path: Path
) -> None:
    other, catalog = item_record(1), sqlite_catalog(tmp_path, create=False)
    catalog.put_item(other, unit_vector(1))
    damage_embedding(catalog, ITEM.item, b"garbage")
    catalog.database.close()
    blobs.put(keys.model_input(ITEM.image, ITEM.preprocessing), b"garbage")
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
