import json
from pathlib import Path

import pytest

from support.calibrations import calibration
from support.records import MODEL, archive_record
from xmirad.blobs import keys
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog.calibrations import encode_calibration
from xmirad.catalog.catalog import Catalog
from xmirad.errors import ArchiveNotFoundError

FITTED = calibration(model_digest=MODEL)


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobStore:
    return FolderBlobStore(tmp_path)


@pytest.fixture
def catalog(blobs: FolderBlobStore) -> Catalog:
    catalog = Catalog(blobs)
    catalog.create_archive(archive_record())
    return catalog


def test_a_calibration_is_kept_replaced_and_taken_away(catalog: Catalog) -> None:
    record = archive_record()
    assert catalog.calibration(record) is None
    for fitted in (FITTED, calibration(model_digest=MODEL, temperature=0.5)):
        catalog.put_calibration(record, fitted)
        assert catalog.calibration(record) == fitted
    catalog.put_calibration(record, None)
    catalog.put_calibration(record, None)
    assert catalog.calibration(record) is None


def test_a_calibration_is_no_archive(catalog: Catalog) -> None:
    catalog.put_calibration(archive_record(), FITTED)
    assert catalog.archives() == [archive_record()]


def test_it_goes_with_its_archive(catalog: Catalog, blobs: FolderBlobStore) -> None:
    catalog.put_calibration(archive_record(), FITTED)
    catalog.forget_archive("chest")
    assert not blobs.exists(keys.calibration("chest"))


def test_what_an_earlier_archive_of_the_name_left_behind_does_not_count(catalog: Catalog) -> None:
    catalog.put_calibration(archive_record(), FITTED)
    assert catalog.calibration(archive_record(create_time=2_000.0)) is None
    assert catalog.calibration(archive_record(model="n" * 64)) is None


def test_an_archive_that_was_deleted_meanwhile_gets_none(catalog: Catalog, blobs: FolderBlobStore) -> None:
    catalog.forget_archive("chest")
    with pytest.raises(ArchiveNotFoundError):
        catalog.put_calibration(archive_record(), FITTED)
    catalog.create_archive(archive_record(create_time=2_000.0))
    with pytest.raises(ArchiveNotFoundError):
        catalog.put_calibration(archive_record(), FITTED)
    assert not blobs.exists(keys.calibration("chest"))


def stored(**changes: object) -> bytes:
    written = json.loads(encode_calibration(FITTED, archive_record()))
    return json.dumps(written | {"calibration": written["calibration"] | changes}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        json.dumps({"schema": 2, "calibration": {}}).encode(),
        stored(temperature="warm"),
        stored(created=253_402_300_800.0),
        stored(labels=None),
    ],
)
def test_what_is_no_calibration_counts_as_none_and_is_logged(
    catalog: Catalog, blobs: FolderBlobStore, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    blobs.put(keys.calibration("chest"), data)
    assert catalog.calibration(archive_record()) is None
    assert [record.message for record in caplog.records] == ["archive.calibration_corrupt"]
    catalog.put_calibration(archive_record(), FITTED)
    assert catalog.calibration(archive_record()) == FITTED
