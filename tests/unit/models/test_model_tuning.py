"""What was measured on a kind of machine is used there and nowhere else, and never instead of something sound."""

import json
from pathlib import Path
from typing import Any

import pytest

from xmirad.cli.commands.models import tried
from xmirad.errors import BackendUnavailableError
from xmirad.models.artifact import ModelArtifact
from xmirad.models.tuner import LEAST_ROUNDS, Tuned, best, ways
from xmirad.models.tuning import Tuning, read_tuning, tuning_file, usual, write_tuning

MACHINE = {"processor": "any", "cores": "2"}
ENOUGH = LEAST_ROUNDS


def artifact_in(folder: Path) -> ModelArtifact:
    return ModelArtifact(path=folder, document=None)  # type: ignore[arg-type] # tunings look at the folder alone


def test_a_tuning_is_found_again_for_its_machine_and_number_of_threads_only(tmp_path: Path) -> None:
    artifact, tuning = artifact_in(tmp_path), Tuning(batch=4, streams=2)
    write_tuning(artifact, MACHINE, tuning, threads=2, milliseconds={"batch 4": 5.0})
    assert read_tuning(artifact, MACHINE, threads=2) == tuning
    assert read_tuning(artifact, MACHINE, threads=4) == usual(4)
    assert read_tuning(artifact, {**MACHINE, "cores": "3"}, threads=2) == usual(2)
    assert [file.name for file in tmp_path.iterdir()] == [tuning_file(artifact, MACHINE, threads=2).name]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"machine": {"processor": "other"}},
        {"threads": 1},
        {"batch": 0},
        {"batch": 3},
        {"batch": 16},
        {"batch": "4"},
        {"batch": True},
        {"streams": 3},
        {"streams": None},
    ],
)
def test_a_tuning_that_cannot_be_meant_is_as_none(tmp_path: Path, change: dict[str, Any]) -> None:
    artifact = artifact_in(tmp_path)
    file = write_tuning(artifact, MACHINE, Tuning(4, 2), threads=2, milliseconds={})
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert read_tuning(artifact, MACHINE, threads=2) == usual(2)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"{}"])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    artifact = artifact_in(tmp_path)
    tuning_file(artifact, MACHINE, threads=1).write_bytes(content)
    assert read_tuning(artifact, MACHINE, threads=1) == usual(1)


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailableError):
        write_tuning(artifact_in(tmp_path / "gone"), MACHINE, usual(1), threads=1, milliseconds={})


def test_the_usual_way_is_tried_first_and_kept_unless_another_is_clearly_faster() -> None:
    assert next(ways(1)) == usual(1)
    assert next(ways(4)) == usual(4)
    first, second, third = Tuning(1, 1), Tuning(2, 1), Tuning(4, 1)
    assert best({first: [10.0] * ENOUGH, second: [9.8] * ENOUGH}, first) == first
    assert best({first: [10.0] * ENOUGH, second: [8.0] * ENOUGH, third: [7.0] * ENOUGH}, first) == third


def test_what_was_measured_too_seldom_is_not_considered() -> None:
    first, second = Tuning(1, 1), Tuning(2, 1)
    assert best({first: [10.0] * ENOUGH, second: [1.0] * (ENOUGH - 1)}, first) == first
    assert best({first: [10.0], second: [1.0] * ENOUGH}, first) == first


def test_the_least_time_counts_because_others_only_ever_take_time() -> None:
    first, second = Tuning(1, 1), Tuning(2, 1)
    assert best({first: [10.0, 30.0, 30.0], second: [11.0, 11.0, 11.0]}, first) == first


def test_ways_that_were_not_considered_are_listed_with_the_reason() -> None:
    first, second, third = Tuning(1, 1), Tuning(2, 1), Tuning(8, 1)
    found = Tuned(first, milliseconds={first: 10.0, second: 5.0}, hasty=(second,), refused=(third,))
    assert tried(found) == [
        (1, 1, 10.0, True, None),
        (2, 1, 5.0, False, "measured too few times"),
        (8, 1, None, False, "other bits"),
    ]
