"""An embedding is stored with its item, read back bit by bit, found damaged where it is, and goes with its item."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from support.catalogs import damage_embedding
from support.records import MODEL, archive_record, item_record, unit_vector
from xmirad.catalog.catalog import Catalog
from xmirad.errors import EmbeddingCorruptError

CHEST = archive_record()
ONE, TWO = item_record(1), item_record(2)
IDS = [ONE.item, TWO.item]


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.create_archive(CHEST)
    for number, item in enumerate((ONE, TWO)):
        catalog.put_item(item, unit_vector(number))
    return catalog


def test_embeddings_come_back_bit_by_bit(filled: Catalog) -> None:
    found = filled.embeddings(CHEST, IDS)
    for number, item in enumerate(IDS):
        np.testing.assert_array_equal(found[item], unit_vector(number))
    np.testing.assert_array_equal(filled.embedding_of_image(TWO.image, MODEL), unit_vector(1))


def test_a_revision_without_an_embedding_leaves_the_one_that_is_there(filled: Catalog) -> None:
    assert filled.put_item(replace(ONE, revision=2))
    np.testing.assert_array_equal(filled.embeddings(CHEST, IDS)[ONE.item], unit_vector(0))


def test_a_revision_that_comes_too_late_does_not_change_the_embedding(filled: Catalog) -> None:
    assert not filled.put_item(ONE, unit_vector(7))
    np.testing.assert_array_equal(filled.embeddings(CHEST, IDS)[ONE.item], unit_vector(0))


@pytest.mark.parametrize("damage", [b"", b"garbage", bytes(32), unit_vector(9).tobytes()])
def test_a_damaged_embedding_is_an_error_of_its_item_only(filled: Catalog, damage: bytes) -> None:
    damage_embedding(filled, ONE.item, damage)
    found = filled.embeddings(CHEST, IDS)
    assert isinstance(found[ONE.item], EmbeddingCorruptError)
    assert not isinstance(found[TWO.item], EmbeddingCorruptError)
    with pytest.raises(EmbeddingCorruptError):
        filled.embedding_of_image(ONE.image, MODEL)


def test_another_item_of_the_image_stands_in_for_a_damaged_one(filled: Catalog) -> None:
    copy = item_record(3, image=ONE.image)
    filled.put_item(copy, unit_vector(0))
    damage_embedding(filled, ONE.item, b"garbage")
    np.testing.assert_array_equal(filled.embedding_of_image(ONE.image, MODEL), unit_vector(0))


def test_an_embedding_of_another_model_or_of_a_deleted_item_is_not_found(filled: Catalog) -> None:
    assert filled.embedding_of_image(ONE.image, "n" * 64) is None
    filled.add_tombstones(CHEST, [ONE.item])
    assert filled.embedding_of_image(ONE.image, MODEL) is None
    filled.delete_archive(CHEST)
    assert filled.embedding_of_image(TWO.image, MODEL) is None


def test_embeddings_go_with_their_items(filled: Catalog) -> None:
    filled.add_tombstones(CHEST, [ONE.item])
    filled.forget_items(CHEST, [ONE.item])
    assert list(filled.embeddings(CHEST, IDS)) == [TWO.item]
    filled.delete_archive(CHEST)
    filled.forget_archive(CHEST.creation)
    assert filled.embeddings(CHEST, IDS) == {}


def test_postgresql_does_not_try_to_compress_embeddings(filled: Catalog) -> None:
    if filled.database.description.startswith("SQLite"):
        pytest.skip("SQLite does not compress")
    storage = "SELECT attstorage FROM pg_attribute WHERE attrelid = 'embeddings'::regclass AND attname = 'vector'"
    found = filled.database.read(lambda connection: connection.execute(text(storage)).scalar_one())
    assert found in {"e", b"e"}
