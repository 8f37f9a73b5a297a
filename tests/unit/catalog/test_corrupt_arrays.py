"""Stored arrays that are readable but wrong."""

from pathlib import Path

import numpy as np
import pytest

from support.catalogs import sqlite_catalog
from support.records import MODEL, archive_record, item_record, unit_vector
from xmirad.blobs import keys
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog.images import ImageBlobs
from xmirad.errors import EmbeddingCorruptError

ITEM = item_record()
PIXELS = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobStore:
    return FolderBlobStore(tmp_path / "blobs")


def test_an_embedding_that_the_vector_store_would_refuse_is_corrupt(tmp_path: Path) -> None:
    catalog = sqlite_catalog(tmp_path)
    catalog.create_archive(archive_record())
    catalog.put_item(ITEM, unit_vector(0) * np.float32(1.0005))
    with pytest.raises(EmbeddingCorruptError):
        catalog.embedding_of_image(ITEM.image, MODEL)
    catalog.database.close()


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
