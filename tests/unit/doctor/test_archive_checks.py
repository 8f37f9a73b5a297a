"""Archives as records, as folders of the embedded store, and as what a store says of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from support.catalogs import damage_archive
from support.models import made_up_model
from xmirad.archive import binding as bindings
from xmirad.archive.edge_folder import ArchiveFolder
from xmirad.archive.edge_inspection import CONFIG, SEGMENTS, inspect_folder
from xmirad.archive.port import ArchiveBinding
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import binding_of
from xmirad.composition import catalog
from xmirad.doctor.archives import check_archives, check_catalog
from xmirad.doctor.findings import Finding, State
from xmirad.doctor.store import check_store
from xmirad.home import Home
from xmirad.settings import Settings
from xmirad.settings_sources import load_settings
from xmirad.site_key import load_site_key
from xmirad.types import OriginalsPolicy

ARCHIVE = "chest"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = load_settings({"home": tmp_path / "home", "models_dir": tmp_path / "models"})
    Home(made.home).prepare()
    return made


@pytest.fixture
def record(settings: Settings) -> ArchiveRecord:
    """An archive with site key and model, in blob store and embedded store alike."""
    model = made_up_model(settings.models_dir)
    made = ArchiveRecord(
        creation="c" * 32,
        archive=ARCHIVE,
        site="local",
        model=model.digest,
        embedding_size=model.embedding_size,
        preprocessing=model.preprocessing.digest,
        site_key_fingerprint=load_site_key(settings).fingerprint,
        originals=OriginalsPolicy.COPY,
        create_time=0.0,
    )
    present = catalog(settings, create=True)
    present.create_archive(made)
    present.database.close()
    embed(settings, binding_of(made))
    return made


def embed(settings: Settings, binding: ArchiveBinding, *, distance: str = "Dot") -> None:
    """Write what the engine would, as far as it is looked at."""

    def make_shard(shard: Path) -> None:
        (shard / SEGMENTS).mkdir()
        vectors = {"": {"size": binding.embedding_size, "distance": distance}}
        (shard / CONFIG).write_text(json.dumps({"vectors": vectors}))

    folder = ArchiveFolder(Home(settings.home).store, binding.creation)
    folder.remove()
    folder.make(binding, make_shard)


def archive_finding(settings: Settings) -> Finding:
    return next(finding for finding in check_store(settings) if finding.name == f"archive {ARCHIVE}")


def test_an_archive_in_order_has_nothing_to_remedy(settings: Settings, record: ArchiveRecord) -> None:
    found = [*check_archives(settings), *check_store(settings)]
    assert {finding.state for finding in found} == {State.OK}
    assert record.site_key_fingerprint in found[0].found


def test_an_empty_home_is_in_order_and_stays_empty(tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path / "none"})
    found = [*check_archives(settings), *check_store(settings)]
    assert {finding.state for finding in found} == {State.OK}
    assert list(tmp_path.iterdir()) == []


def test_a_missing_site_key_is_told_with_its_remedy(settings: Settings, record: ArchiveRecord) -> None:
    (settings.home / "secrets" / "site.key").unlink()
    found = next(iter(check_archives(settings)))
    assert (found.name, found.state) == ("site key", State.FAILED)
    assert "put the key back" in found.remedy
    assert not (settings.home / "secrets" / "site.key").exists()


def test_another_site_key_is_told_by_the_archives_that_it_does_not_fit(
    settings: Settings, record: ArchiveRecord
) -> None:
    (settings.home / "secrets" / "site.key").write_bytes(b"x" * 32)
    found = next(iter(check_archives(settings)))
    assert found.state is State.FAILED
    assert ARCHIVE in found.found


def test_a_model_that_is_not_there_is_told(settings: Settings, record: ArchiveRecord) -> None:
    (settings.models_dir / record.model).rename(settings.models_dir / "elsewhere")
    found = list(check_archives(settings))[1]
    assert (found.name, found.state) == (f"archive {ARCHIVE}", State.FAILED)
    assert record.model[:12] in found.found


def test_the_model_of_an_evaluation_need_not_be_there(settings: Settings, record: ArchiveRecord) -> None:
    present = catalog(settings)
    present.create_archive(replace(record, creation="d" * 32, archive="eval-covidx-0123abcd", model="ab" * 32))
    present.database.close()
    assert "archive eval-covidx-0123abcd" not in {finding.name for finding in check_archives(settings)}


def test_a_record_that_cannot_be_read_is_told(settings: Settings, record: ArchiveRecord) -> None:
    present = catalog(settings)
    damage_archive(present, ARCHIVE)
    present.database.close()
    found = {finding.name: finding for finding in check_archives(settings)}
    assert found[f"archive {ARCHIVE}"].state is State.FAILED
    assert "cannot be read" in found[f"archive {ARCHIVE}"].found
    assert [finding.name for finding in check_store(settings)] == ["store"]


def test_the_catalog_is_told_where_it_is_and_how_many_archives_it_holds(
    settings: Settings, record: ArchiveRecord
) -> None:
    (found,) = check_catalog(settings)
    assert (found.state, str(settings.home / "catalog.db") in found.found) == (State.OK, True)
    assert "1 archives" in found.found


def test_a_catalog_that_is_not_there_yet_is_told_and_not_made(settings: Settings) -> None:
    (found,) = check_catalog(settings)
    assert (found.state, "none yet" in found.found) == (State.OK, True)
    assert not (settings.home / "catalog.db").exists()


def test_a_catalog_that_cannot_be_read_is_told_with_its_remedy(settings: Settings, record: ArchiveRecord) -> None:
    (settings.home / "catalog.db").write_bytes(b"not a database " * 100)
    (found,) = check_catalog(settings)
    assert (found.state, "backup" in found.remedy) == (State.FAILED, True)
    assert [finding.state for finding in check_archives(settings)] == [State.SKIPPED]
    assert any(finding.state is State.SKIPPED for finding in check_store(settings))


def test_another_model_in_the_store_than_in_the_record_is_told(settings: Settings, record: ArchiveRecord) -> None:
    embed(settings, replace(binding_of(record), model_digest="f" * 64))
    found = archive_finding(settings)
    assert found.state is State.FAILED
    assert "ffffffffffff" in found.found
    assert record.model[:12] in found.found
    assert f"xmirad archive rebuild {ARCHIVE}" in found.remedy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embedding_size": 9}, "embedding sizes"),
        ({"site_key_fingerprint": "0" * 16}, "another site key"),
    ],
)
def test_other_contradictions_are_told(
    settings: Settings, record: ArchiveRecord, change: dict[str, object], words: str
) -> None:
    changed: ArchiveBinding = replace(binding_of(record), **change)  # type: ignore[arg-type]
    embed(settings, changed)
    found = archive_finding(settings)
    assert (found.state, words in found.found) == (State.FAILED, True)


def test_another_distance_is_told(settings: Settings, record: ArchiveRecord) -> None:
    embed(settings, binding_of(record), distance="Euclid")
    assert "compares by euclid" in archive_finding(settings).found


def test_an_archive_that_the_store_lost_is_to_be_rebuilt(settings: Settings, record: ArchiveRecord) -> None:
    ArchiveFolder(Home(settings.home).store, record.creation).remove()
    found = archive_finding(settings)
    assert (found.state, "rebuild" in found.remedy) == (State.FAILED, True)


def test_an_archive_without_a_record_is_a_warning(settings: Settings, record: ArchiveRecord) -> None:
    present = catalog(settings)
    present.delete_archive(record)
    present.database.close()
    assert archive_finding(settings).state is State.WARNING


def test_an_archive_that_does_not_say_what_it_is_bound_to_is_told(settings: Settings, record: ArchiveRecord) -> None:
    (Home(settings.home).store / record.creation / "binding.json").write_text("{")
    found = archive_finding(settings)
    assert (found.state, "does not say what it is bound to" in found.found) == (State.FAILED, True)


def test_a_shard_without_segments_is_told(settings: Settings, record: ArchiveRecord) -> None:
    (Home(settings.home).store / record.creation / "shard" / SEGMENTS).rmdir()
    assert archive_finding(settings).state is State.FAILED


def test_bindings_are_compared_as_they_are_stored(settings: Settings, record: ArchiveRecord) -> None:
    (inspected,) = inspect_folder(Home(settings.home).store)
    assert inspected.binding == bindings.from_json(record.creation, bindings.to_json(binding_of(record)))
