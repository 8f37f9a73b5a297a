"""Calibrations belong to one creation of an archive."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
from sqlalchemy import update

from support.calibrations import calibration
from support.records import MODEL, archive_record
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.tables import calibrations
from xmirad.errors import ArchiveNotFoundError
from xmirad.evidence.distances import FeatureReference

FITTED = calibration(model_digest=MODEL)
CHEST = archive_record()


@pytest.fixture
def chest(catalog: Catalog) -> Catalog:
    """A catalog with an archive."""
    catalog.create_archive(CHEST)
    return catalog


def test_a_calibration_is_kept_replaced_and_taken_away(chest: Catalog) -> None:
    assert chest.calibration(CHEST) is None
    for fitted in (FITTED, calibration(model_digest=MODEL, temperature=0.5)):
        chest.put_calibration(CHEST, fitted)
        assert chest.calibration(CHEST) == fitted
    chest.put_calibration(CHEST, None)
    chest.put_calibration(CHEST, None)
    assert chest.calibration(CHEST) is None


def test_the_features_of_a_calibration_are_kept_with_it_and_checked(
    chest: Catalog, open_catalog: Callable[..., Catalog], caplog: pytest.LogCaptureFixture
) -> None:
    rows = np.eye(3, dtype=np.float32).tobytes()
    whole = replace(FITTED, reference=FeatureReference(3, rows))
    chest.put_calibration(CHEST, whole)
    for each in (chest, open_catalog(create=False)):
        assert [each.calibration(CHEST), each.calibration(CHEST)] == [whole, whole]
    damage = update(calibrations).values(features=b"\0" * len(rows))
    chest.database.write(lambda connection: connection.execute(damage))
    assert open_catalog(create=False).calibration(CHEST) is None
    assert [record.message for record in caplog.records] == ["archive.calibration_corrupt"]


def test_it_goes_with_its_archive_and_a_re_created_one_has_none(chest: Catalog) -> None:
    chest.put_calibration(CHEST, FITTED)
    chest.delete_archive(CHEST)
    again = chest.create_archive(archive_record(creation="d" * 32))
    assert chest.calibration(again) is None
    chest.forget_archive(CHEST.creation)
    assert chest.calibration(CHEST) is None


def test_a_calibration_of_another_model_does_not_count(chest: Catalog) -> None:
    chest.put_calibration(CHEST, calibration(model_digest="n" * 64))
    assert chest.calibration(CHEST) is None


def test_an_archive_that_was_deleted_meanwhile_gets_none(chest: Catalog) -> None:
    chest.delete_archive(CHEST)
    with pytest.raises(ArchiveNotFoundError):
        chest.put_calibration(CHEST, FITTED)
    chest.create_archive(archive_record(creation="d" * 32))
    with pytest.raises(ArchiveNotFoundError):
        chest.put_calibration(CHEST, FITTED)


def changed(**changes: object) -> str:
    return json.dumps({"calibration": asdict(FITTED) | changes, "reference_size": 0, "reference_digest": ""})


@pytest.mark.parametrize(
    "document",
    ["", "{}", "[]", changed(temperature="warm"), changed(created=253_402_300_800.0), changed(labels=None)],
)
def test_what_is_not_a_calibration_counts_as_none_and_is_logged(
    chest: Catalog, caplog: pytest.LogCaptureFixture, document: str
) -> None:
    chest.put_calibration(CHEST, FITTED)
    damage = update(calibrations).values(document=document)
    chest.database.write(lambda connection: connection.execute(damage))
    assert chest.calibration(CHEST) is None
    assert [record.message for record in caplog.records] == ["archive.calibration_corrupt"]
    chest.put_calibration(CHEST, FITTED)
    assert chest.calibration(CHEST) == FITTED
