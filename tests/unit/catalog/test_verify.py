"""Verification finds every kind of damage."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from support.catalogs import damage_document, damage_embedding, location_of, sqlite_catalog
from support.records import archive_record, item_record, unit_vector
from xmirad.archive.edge import EdgeStore
from xmirad.archive.port import Archive
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.catalog.records import ItemRecord
from xmirad.catalog.stored import binding_of, stored_item
from xmirad.catalog.verify import Problem, ProblemKind, verify_archive
from xmirad.ids import image_digest
from xmirad.types import Float32Array, ItemAttributes, OriginalsPolicy, UInt8Array

RECORD = archive_record()
FILES = {image_digest(b"file %d" % number): b"file %d" % number for number in range(5)}
ITEMS = [item_record(number, file=file) for number, file in enumerate(FILES)]


@dataclass(frozen=True, slots=True)
class Site:
    """An archive of five items, whole."""

    folder: Path
    blobs: FolderBlobStore
    catalog: Catalog
    images: ImageBlobs
    store: EdgeStore

    @property
    def archive(self) -> Archive:
        return self.store.open(binding_of(RECORD))

    def problems(self) -> tuple[Problem, ...]:
        return verify_archive(RECORD, self.archive, catalog=self.catalog, images=self.images).problems

    def add(self, record: ItemRecord) -> None:
        pixels = np.full((4, 4, 3), int(record.image, 16), dtype=np.uint8)
        embedding = embed(pixels[None])[0]
        blobs = [
            NewBlob.input(record.image, record.preprocessing, pixels),
            NewBlob.original(record.file, FILES[record.file]),
        ]
        self.catalog.put_item(record, embedding, blobs_at=self.images.put(blobs))
        self.archive.upsert([stored_item(record, RECORD.site, embedding)])


def embed(pixels: UInt8Array) -> Float32Array:
    return np.stack([unit_vector(int(image[0, 0, 0])) for image in pixels])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    blobs = FolderBlobStore(tmp_path / "blobs")
    store = EdgeStore(tmp_path / "store")
    catalog = sqlite_catalog(tmp_path)
    whole = Site(tmp_path / "blobs", blobs, catalog, ImageBlobs(catalog.database, blobs), store)
    whole.catalog.create_archive(RECORD)
    store.create(binding_of(RECORD))
    for record in ITEMS:
        whole.add(record)
    yield whole
    store.close()
    whole.catalog.database.close()


def test_a_whole_archive_is_clean(site: Site) -> None:
    found = verify_archive(RECORD, site.archive, catalog=site.catalog, images=site.images)
    assert (found.items, found.clean) == (5, True)


def test_an_item_that_was_never_indexed_is_found(site: Site) -> None:
    site.archive.delete([ITEMS[0].item])
    assert site.problems() == (Problem(ProblemKind.NOT_INDEXED, ITEMS[0].item),)


def test_a_stale_description_is_found(site: Site) -> None:
    site.catalog.put_item(replace(ITEMS[1], revision=2, attributes=ItemAttributes(labels=("covid-19",))))
    assert site.problems() == (Problem(ProblemKind.STALE, ITEMS[1].item),)


def test_another_embedding_is_found(site: Site) -> None:
    site.archive.upsert([stored_item(ITEMS[2], RECORD.site, unit_vector(99))])
    assert site.problems() == (Problem(ProblemKind.EMBEDDING_DIFFERS, ITEMS[2].item),)


@pytest.mark.parametrize(
    "damage", [None, b"garbage", b"", bytes(32)], ids=["missing", "of another length", "empty", "of other bytes"]
)
def test_a_lost_embedding_is_found(site: Site, damage: bytes | None) -> None:
    damage_embedding(site.catalog, ITEMS[3].item, damage)
    assert site.problems() == (Problem(ProblemKind.EMBEDDING_MISSING, ITEMS[3].item),)


@pytest.mark.parametrize("damage", [None, b"file 4", b""], ids=["missing", "another", "empty"])
def test_an_original_that_is_not_the_file_of_its_digest_is_found(site: Site, damage: bytes | None) -> None:
    key = location_of(site.catalog, ITEMS[1].file)
    site.blobs.delete(key)
    if damage is not None:
        site.blobs.put(key, damage)
    assert site.problems() == (Problem(ProblemKind.ORIGINAL_DAMAGED, ITEMS[1].item),)


def test_originals_are_looked_for_only_where_an_archive_keeps_them(site: Site) -> None:
    site.blobs.delete(location_of(site.catalog, ITEMS[1].file))
    record = replace(RECORD, originals=OriginalsPolicy.REFERENCE)
    assert verify_archive(record, site.archive, catalog=site.catalog, images=site.images).clean


def test_an_item_without_input_and_embedding_is_found(site: Site) -> None:
    lost = ITEMS[4]
    damage_embedding(site.catalog, lost.item, None)
    site.blobs.delete(location_of(site.catalog, lost.image, lost.preprocessing))
    kinds = {problem.kind for problem in site.problems()}
    assert kinds == {ProblemKind.EMBEDDING_MISSING, ProblemKind.INPUT_MISSING}


def test_a_deleted_item_that_the_store_still_holds_is_found(site: Site) -> None:
    site.catalog.add_tombstones(RECORD, [ITEMS[0].item])
    assert Problem(ProblemKind.UNKNOWN_ITEM, ITEMS[0].item) in site.problems()


def test_a_deletion_that_was_cut_short_is_found(site: Site) -> None:
    site.catalog.add_tombstones(RECORD, [ITEMS[0].item])  # and here the process dies: files and identifiers stay
    assert Problem(ProblemKind.HALF_DELETED, ITEMS[0].item) in site.problems()


def test_a_record_that_cannot_be_read_is_named_and_costs_no_other_item(site: Site) -> None:
    broken = ITEMS[0]
    damage_document(site.catalog, broken.item)
    assert site.problems() == (Problem(ProblemKind.RECORD_CORRUPT, broken.item),)
