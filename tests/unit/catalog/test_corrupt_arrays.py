"""Stored arrays that are readable but wrong."""

from pathlib import Path

import numpy as np
import pytest

from support.catalogs import sqlite_catalog
from support.dict_blobs import DictBlobs
from support.records import MODEL, archive_record, item_record, unit_vector
from xmirad.blobs.arrays import get_array, put_array
from xmirad.errors import EmbeddingCorruptError

ITEM = item_record()


def test_an_embedding_that_the_vector_store_would_refuse_is_corrupt(tmp_path: Path) -> None:
    catalog = sqlite_catalog(tmp_path)
    catalog.create_archive(archive_record())
    catalog.put_item(ITEM, unit_vector(0) * np.float32(1.0005))
    with pytest.raises(EmbeddingCorruptError):
        catalog.embedding_of_image(ITEM.image, MODEL)
    catalog.database.close()


def test_an_array_that_was_changed_or_cut_anywhere_is_not_read() -> None:
    blobs, array = DictBlobs(), unit_vector(0)
    put_array(blobs, "key", array)
    whole = blobs.data["key"]
    found = get_array(blobs, "key")
    assert found is not None
    assert np.array_equal(found, array)
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        for damaged in (changed, whole[:place]):
            blobs.put("key", damaged)
            with pytest.raises(EmbeddingCorruptError):
                get_array(blobs, "key")
    assert get_array(blobs, "other") is None
