"""What workers do with the tasks of imports: every image once, whatever comes between."""

import os
from pathlib import Path

import pytest
from sqlalchemy import select

from support.importing import ARCHIVE, FOLDER, ImportWorld
from xmirad.catalog.tables import imports
from xmirad.errors import BackendUnavailableError, ImportNotFoundError, InvalidImageError, ModelNotFoundError
from xmirad.imports.files import read_inside
from xmirad.imports.records import MOST_FAILURES, ImportFigures
from xmirad.imports.stepping import IN_FLIGHT
from xmirad.types import ImportState


@pytest.fixture
def world(tmp_path: Path) -> ImportWorld:
    return ImportWorld(tmp_path)


def test_every_image_is_settled_once_and_the_import_succeeds(world: ImportWorld) -> None:
    world.write_images(200, bad=[3, 150])
    world.create()
    world.work_all()

    found = world.snapshot()
    assert (found.state, found.done) == (ImportState.SUCCEEDED, 200)
    assert sum(part.created for part in found.parts) == len(world.stored) == 198
    assert [failure.path for failure in found.failures] == ["a/0003.png", "a/0150.png"]
    assert set(world.stored.values()) == {1}


def test_what_waits_and_what_failed_is_added_up_for_those_who_watch(world: ImportWorld) -> None:
    world.write_images(200, bad=[3, 150])
    world.create()
    assert world.importing.sweep() == ImportFigures(unfinished=1, waiting=0, failed_images=0, failed=0)
    world.work()  # looks into the folder
    assert world.importing.sweep() == ImportFigures(unfinished=1, waiting=200, failed_images=0, failed=0)
    world.work()  # the first of three segments
    assert world.importing.sweep() == ImportFigures(unfinished=1, waiting=134, failed_images=1, failed=0)
    world.work_all()
    assert world.importing.sweep() == ImportFigures(unfinished=0, waiting=0, failed_images=2, failed=0)


def test_a_large_folder_is_shared_by_several_workers(world: ImportWorld) -> None:
    world.write_images(300)
    world.create()
    world.work()  # looks into the folder

    assert [segment for _, _, segment in world.queue.tasks] == [0, 1, 2, 3]
    plan = world.snapshot().plan
    assert plan is not None
    bounds = [plan.bounds(segment) for segment in range(plan.segments)]
    assert bounds == [(0, 75), (75, 150), (150, 225), (225, 300)]


def test_a_step_ends_in_time_and_the_next_goes_on_behind_it(world: ImportWorld) -> None:
    world.write_images(40)
    world.seconds_an_image = 0.02
    world.create()
    world.work_all(step_seconds=0.05)

    found = world.snapshot()
    assert found.state is ImportState.SUCCEEDED
    assert world.tasks_done > 2
    assert found.done == 40
    assert len(world.stored) == 40


def test_images_under_way_are_stored_though_no_more_are_begun(world: ImportWorld) -> None:
    world.write_images(IN_FLIGHT + 4)
    world.seconds_an_image = 0.05
    world.create()
    world.work()
    world.work(begin_seconds=0.01)

    assert world.snapshot().done == IN_FLIGHT
    assert len(world.stored) == IN_FLIGHT


def test_a_step_that_comes_twice_counts_no_image_twice(world: ImportWorld) -> None:
    world.write_images(10)
    world.create()
    world.work()
    task = world.queue.tasks[0]
    world.work()
    world.queue.tasks.append(task)
    world.work_all()

    assert world.snapshot().done == 10
    assert set(world.stored.values()) == {1}


def test_what_was_done_before_a_store_failed_is_kept_and_the_rest_is_done_later(world: ImportWorld) -> None:
    world.write_images(10)
    request = world.create()
    world.work()
    world.faults.append(BackendUnavailableError("away", metadata={"backend": "qdrant"}))
    with pytest.raises(BackendUnavailableError):
        world.work()
    assert world.snapshot().state is ImportState.RUNNING

    assert world.importing.sweep().unfinished == 1
    world.work_all()

    assert world.snapshot(request.number).state is ImportState.SUCCEEDED
    assert len(world.stored) == 10


def test_an_error_that_no_image_can_help_fails_the_import(world: ImportWorld) -> None:
    world.write_images(10)
    world.create()
    world.work()
    world.faults.append(ModelNotFoundError("there is no such model"))
    world.work()

    found = world.snapshot()
    assert found.outcome is not None
    assert (found.state, found.outcome.error and found.outcome.error.reason) == (ImportState.FAILED, "MODEL_NOT_FOUND")
    assert world.queue.tasks == []


def test_a_folder_that_changes_meanwhile_fails_the_import(world: ImportWorld) -> None:
    world.write_images(10)
    world.create()
    world.work()
    (world.folder / "a" / "9999.png").write_text("image 9999")
    world.work()

    found = world.snapshot()
    assert found.outcome is not None
    assert found.outcome.error is not None
    assert "import it again" in found.outcome.error.message


def test_an_empty_folder_fails_and_names_the_alias_alone(world: ImportWorld) -> None:
    world.create()
    world.work()

    outcome = world.snapshot().outcome
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.message == f"{FOLDER} holds no images"
    assert str(world.folder) not in str(outcome.error.metadata)


def test_a_file_that_is_too_large_or_gone_is_counted_as_failed(world: ImportWorld) -> None:
    world.write_images(3)
    (world.folder / "a" / "0001.png").write_bytes(b"x" * 101)
    world.create()
    world.work_all()

    assert {failure.error.reason for failure in world.snapshot().failures} == {"IMAGE_TOO_LARGE"}


def test_a_link_that_leads_out_of_the_folder_is_a_bad_file(world: ImportWorld, tmp_path: Path) -> None:
    world.folder = tmp_path / "images"
    world.folder.mkdir()
    world.write_images(2)
    secret, other = tmp_path / "secret", tmp_path / "other"
    secret.write_text("image of another site")
    other.mkdir()
    (other / "0001.png").write_text("image of yet another")
    (world.folder / "a" / "inside.png").symlink_to(world.folder / "a" / "0000.png")
    (world.folder / "a" / "link.png").symlink_to(secret)
    (world.folder / "b").symlink_to(other)
    (world.folder / "manifest.csv").write_text("path\na/0000.png\na/inside.png\na/link.png\nb/0001.png\n")
    world.create()
    world.work_all()

    found = world.snapshot()
    assert found.state is ImportState.SUCCEEDED
    assert [failure.path for failure in found.failures] == ["a/link.png", "b/0001.png"]
    assert {failure.error.message for failure in found.failures} == {"the file is a link that leads out of the folder"}
    assert list(world.stored) == [b"image 0"]


def test_a_list_that_is_a_link_to_somewhere_else_fails_the_import(world: ImportWorld, tmp_path: Path) -> None:
    world.folder = tmp_path / "images"
    world.folder.mkdir()
    (tmp_path / "passwords").write_text("root:planted\n")
    (world.folder / "manifest.csv").symlink_to(tmp_path / "passwords")
    world.create()
    world.work_all()

    outcome = world.snapshot().outcome
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.message == "manifest.csv is a link that leads out of the folder"


def test_what_is_no_file_is_a_bad_file_and_does_not_hold_the_worker_up(world: ImportWorld) -> None:
    os.mkfifo(world.folder / "pipe.png")
    with pytest.raises(InvalidImageError, match="not a regular file"):
        read_inside(world.folder / "pipe.png", world.folder, limit=100)
    with pytest.raises(InvalidImageError, match="cannot be read"):
        read_inside(world.folder / "gone.png", world.folder, limit=100)


def test_a_cancelled_import_does_nothing_more(world: ImportWorld) -> None:
    world.write_images(10)
    request = world.create()
    world.work()
    world.importing.cancel(ARCHIVE, request.number, site="local")
    world.work_all()

    assert world.snapshot().state is ImportState.CANCELLED
    assert world.stored == {}


def test_only_the_first_failures_are_kept_but_all_are_counted(world: ImportWorld) -> None:
    world.write_images(MOST_FAILURES + 60, bad=range(MOST_FAILURES + 50))
    world.create()
    world.work_all()

    found = world.snapshot()
    assert len(found.failures) == MOST_FAILURES
    assert sum(part.failed for part in found.parts) == MOST_FAILURES + 50


async def test_a_task_of_an_import_that_is_gone_says_so(world: ImportWorld) -> None:
    with pytest.raises(ImportNotFoundError):
        await world.steps().run(ARCHIVE, 1, 0)


def test_no_path_of_the_server_and_no_patient_is_kept(world: ImportWorld, tmp_path: Path) -> None:
    world.write_images(2)
    (tmp_path / "manifest.csv").write_text("path,patient_id\na/0000.png,MUELLER\na/0001.png,MEIER\n")
    world.create()
    world.work_all()

    kept = repr(world.catalog.database.read(lambda connection: connection.execute(select(imports)).all()))
    assert world.snapshot().done == 2
    assert "MUELLER" not in kept
    assert str(tmp_path) not in kept


def test_what_the_reader_cannot_read_counts_as_failed_and_is_named(world: ImportWorld, tmp_path: Path) -> None:
    world.write_images(3)
    (tmp_path / "a" / "gone.png").symlink_to("/nonexistent/1.png")
    (tmp_path / "b").symlink_to("/usr")
    world.create()
    world.work_all()

    found = world.snapshot()
    assert (found.state, found.total, found.failed, found.done) == (ImportState.SUCCEEDED, 5, 2, 3)
    assert {failure.path: failure.error.message for failure in found.failures} == {
        "a/gone.png": "the entry is a link to nothing",
        "b": "the entry is a link to a folder outside of the data set",
    }
    assert world.importing.sweep().failed_images == 2


def test_patterns_choose_what_is_stored(world: ImportWorld, tmp_path: Path) -> None:
    world.write_images(3)
    (tmp_path / "a" / "masks").mkdir()
    (tmp_path / "a" / "masks" / "m.png").write_text("image m")
    request = world.create(folder=FOLDER, include=("*.png",), exclude=("masks", "0001.*"))
    world.work_all()

    assert (request.include, request.exclude) == (("*.png",), ("masks", "0001.*"))
    assert world.snapshot().request == request
    assert sorted(world.stored) == [b"image 0", b"image 2"]


@pytest.mark.parametrize(("has_images", "why"), [(True, "outside of its folder"), (False, "are not there; expected")])
def test_a_list_of_images_elsewhere_fails_the_import_and_tells_no_path(
    tmp_path: Path, has_images: bool, why: str
) -> None:
    (tmp_path / "set" / "labels").mkdir(parents=True)
    (tmp_path / "set" / "labels" / "test.txt").write_text("1 a.png normal\n")
    if has_images:
        (tmp_path / "set" / "data" / "test").mkdir(parents=True)
        (tmp_path / "set" / "data" / "test" / "a.png").write_bytes(b"image")
    world = ImportWorld(tmp_path / "set" / "labels")
    world.create()
    world.work_all()

    outcome = world.snapshot().outcome
    assert outcome is not None
    assert outcome.error is not None
    assert why in outcome.error.message
    assert str(tmp_path) not in outcome.error.message
