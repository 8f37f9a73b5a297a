"""Creating, cancelling, listing and sweeping imports."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from support.importing import ARCHIVE, FOLDER, ImportWorld
from support.records import CREATION
from xmirad.catalog.tables import imports
from xmirad.errors import (
    AccessDeniedError,
    ArchiveNotFoundError,
    BackendUnavailableError,
    ConcurrentImportError,
    ImportNotFoundError,
    InvalidRequestError,
    RecordCorruptError,
)
from xmirad.imports.records import ImportPart, ImportPlan, ImportRequest
from xmirad.types import ImportState, UploadState


@pytest.fixture
def world(tmp_path: Path) -> ImportWorld:
    made = ImportWorld(tmp_path)
    made.write_images(3)
    return made


def test_imports_into_an_archive_are_numbered_and_one_runs_at_a_time(world: ImportWorld) -> None:
    first = world.create()
    with pytest.raises(ConcurrentImportError) as caught:
        world.create()
    assert caught.value.metadata == {"import": first.name}
    world.work_all()

    assert world.create().name == "imports/chest-000002"


def test_a_queue_that_is_away_only_delays_an_import(world: ImportWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise BackendUnavailableError("away", metadata={"backend": "queue"})

    with monkeypatch.context() as patch:
        patch.setattr(world.queue, "publish", away)
        world.create()
    world.importing.sweep()
    world.work_all()

    assert world.snapshot().state is ImportState.SUCCEEDED


def test_an_archive_that_is_created_again_has_no_imports(world: ImportWorld) -> None:
    world.create()
    record = world.catalog.archive("local", ARCHIVE)
    world.catalog.delete_archive(record)
    with pytest.raises(ImportNotFoundError):
        world.snapshot()
    with pytest.raises(ArchiveNotFoundError):
        world.create()
    world.catalog.create_archive(replace(record, creation="d" * 32))
    assert world.store.latest() == []
    assert world.create().number == 1
    with pytest.raises(ImportNotFoundError):
        world.work()  # the task of the import before
    world.catalog.forget_archive(record.creation)
    assert world.snapshot().state is ImportState.QUEUED
    world.work_all()
    assert world.snapshot().state is ImportState.SUCCEEDED


def test_a_worker_that_is_late_counts_nothing_in_the_import_of_another_archive(world: ImportWorld) -> None:
    late = world.create()
    record = world.catalog.archive("local", ARCHIVE)
    plan = ImportPlan.of(3, listing="a", warnings=[])
    world.store.put_plan(late, plan)
    world.catalog.delete_archive(record)
    world.catalog.create_archive(replace(record, creation="d" * 32))
    world.store.put_plan(world.create(), plan)
    with pytest.raises(ImportNotFoundError):
        world.store.put_part(late, ImportPart.of(0, 0, [UploadState.CREATED]))
    with pytest.raises(ImportNotFoundError):
        world.store.finish(late, ImportState.FAILED)
    assert world.store.is_finished(late)
    assert (world.snapshot().state, world.snapshot().done) == (ImportState.RUNNING, 0)


@pytest.mark.parametrize("document", ["{", "[]", "{}", '{"total": 1}'])
def test_a_damaged_record_is_named_and_stops_no_other(world: ImportWorld, document: str) -> None:
    world.catalog.create_archive(replace(world.catalog.archive("local", ARCHIVE), archive="other", creation="e" * 32))
    damaged = world.create()
    world.create(archive="other", folder=FOLDER)
    row = update(imports).where(imports.c.name == damaged.name).values(request=document)
    world.catalog.database.write(lambda connection: connection.execute(row))
    with pytest.raises(RecordCorruptError) as caught:
        world.snapshot()
    assert caught.value.metadata == {"import": damaged.name}
    assert world.importing.sweep().unfinished == 1
    page = world.importing.page(site="local", after="", limit=5)
    assert [each.request.archive for each in page] == ["other"]


@pytest.mark.parametrize(("site", "folder"), [("local", "other"), ("elsewhere", FOLDER), ("local", "/etc")])
def test_a_folder_is_known_by_its_alias_to_the_site_of_the_service_alone(
    world: ImportWorld, site: str, folder: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        world.create(site=site, folder=folder)
    assert caught.value.field == "folder"
    assert (FOLDER in caught.value.message) is (site == "local")


def test_another_sites_import_is_not_found(world: ImportWorld) -> None:
    request = world.create()
    for call in (world.importing.snapshot, world.importing.cancel):
        with pytest.raises(ImportNotFoundError):
            call(ARCHIVE, request.number, site="elsewhere")


def test_what_the_queue_lost_is_published_again(world: ImportWorld) -> None:
    world.create()
    world.queue.tasks.clear()
    assert world.importing.sweep().unfinished == 1
    assert world.queue.tasks == [(CREATION, 1, None)]
    world.work()
    world.queue.tasks.clear()
    world.importing.sweep()
    assert world.queue.tasks == [(CREATION, 1, 0)]
    world.work_all()
    assert world.importing.sweep().unfinished == 0


def test_an_import_whose_last_part_was_written_but_not_its_end_is_finished_by_the_sweep(world: ImportWorld) -> None:
    world.create()
    world.work_all()
    world.catalog.database.write(lambda connection: connection.execute(update(imports).values(result=None)))

    world.importing.sweep()
    world.work_all()

    assert world.snapshot().state is ImportState.SUCCEEDED


def test_an_archive_is_busy_until_its_import_has_ended(world: ImportWorld) -> None:
    request = world.create()
    with pytest.raises(ConcurrentImportError, match="cancel it"):
        world.importing.require_idle(CREATION)
    world.importing.cancel(ARCHIVE, request.number, site="local")
    world.importing.require_idle(CREATION)


def test_a_path_is_for_the_owner_of_the_home_and_must_be_absolute(world: ImportWorld, tmp_path: Path) -> None:
    asked = ImportRequest(ARCHIVE, "local", path=str(tmp_path))
    with pytest.raises(AccessDeniedError) as denied:
        world.importing.create(asked, is_owner=False, answer=lambda _: b"")
    assert denied.value.field == "dataset.path"
    for wrong in ({"path": "images"}, {"path": str(tmp_path), "images": "images"}):
        with pytest.raises(InvalidRequestError, match="must be an absolute path"):
            world.create(**wrong)
    assert world.store.latest() == []


def test_a_data_set_that_is_named_by_its_path_is_read_as_its_owner_would(world: ImportWorld, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.png").write_text("image x")
    (tmp_path / "list.csv").write_text("path,labels\nelsewhere/x.png,normal\ngone.png,normal\n")
    world.create(path=str(tmp_path / "list.csv"), skip_missing=True, layout="manifest")
    world.work_all()
    found = world.snapshot()
    assert (found.state, found.done, found.failed) == (ImportState.SUCCEEDED, 1, 1)
    assert [failure.path for failure in found.failures] == ["gone.png"]
    assert list(world.stored) == [b"image x"]


def test_pages_of_imports_follow_their_names(world: ImportWorld) -> None:
    for _ in range(3):
        world.create()
        world.work_all()

    page = world.importing.page(site="local", archive=ARCHIVE, after="", limit=2)
    rest = world.importing.page(site="local", after=page[-1].request.name, limit=2)
    assert world.importing.page(site="elsewhere", after="", limit=2) == []

    assert [each.request.number for each in (*page, *rest)] == [1, 2, 3]
