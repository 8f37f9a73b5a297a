"""Which files of a data set the commands read, and what they say of those that cannot be read."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from support.fake_client import FakeClient
from support.fake_evaluation import FakeService, write_pixels
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.main import app
from xmirad.datasets.selection import FrameChoice, Selection
from xmirad.evaluation.report_json import from_json


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient()
    monkeypatch.setattr("xmirad.cli.commands.index.connected", client.connected)
    return client


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for label, dark in (("bright", 0), ("dark", 200)):
        for number in range(3):
            write_pixels(folder / label / "images" / f"{label}{number}.png", [200 - dark, dark, 10, number])
            write_pixels(folder / label / "masks" / f"{label}{number}.png", [0, 0, 0, number + dark])
    (folder / "dark" / "images" / "gone.png").symlink_to("/nonexistent/gone.png")
    return folder


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def _index(data: Path, *words: str | Path, code: int = 0) -> dict[str, Any]:
    result = _run("index", data, "-a", "chest", *words, "--json")
    assert result.exit_code == code, result.output
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def test_a_link_to_nothing_is_counted_and_named_and_ends_with_5(client: FakeClient, data: Path) -> None:
    printed = _index(data, code=ExitCode.PARTLY_FAILED)
    assert (printed["items"], printed["created"], printed["failed"]) == (13, 12, 1)
    assert printed["failures"] == [
        {
            "path": str(data / "dark" / "images" / "gone.png"),
            "reason": "FILE_UNREADABLE",
            "message": "is a link to nothing",
            "field": "path",
        }
    ]
    shown = _run("index", data, "-a", "other")
    assert "12 of 13 images" in shown.stdout
    assert "gone.png: is a link to nothing [FILE_UNREADABLE]" in shown.stdout


def test_patterns_leave_masks_out_and_a_warning_suggests_it(client: FakeClient, data: Path) -> None:
    assert "--exclude 'masks'" in _run("index", data, "-a", "all").stderr
    printed = _index(data, "--exclude", "masks", "--exclude", "gone.png")
    assert (printed["items"], printed["created"]) == (6, 6)
    assert _index(data, "--include", "bright/**", "--exclude", "*/masks/*")["items"] == 3


def test_a_folder_of_nothing_readable_ends_with_5(client: FakeClient, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "gone.png").symlink_to("/nonexistent")
    printed = _index(tmp_path, code=ExitCode.PARTLY_FAILED)
    assert (printed["items"], printed["failed"]) == (1, 1)


def test_missing_files_of_a_manifest_are_skipped_when_asked_for(client: FakeClient, data: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "cases.csv"
    manifest.write_text(f"path,labels\n{data}/dark/images/dark0.png,x\nbright/images/bright0.png,y\nnone.png,y\n")
    absolute = _run("index", manifest, "-a", "chest")
    assert (absolute.exit_code, "--root FOLDER allows" in absolute.stderr) == (2, True)
    missing = _run("index", manifest, "-a", "chest", "--root", data)
    assert (missing.exit_code, "there is no file 'none.png'; --skip-missing" in missing.stderr) == (2, True)
    printed = _index(manifest, "--root", data, "--skip-missing", code=ExitCode.PARTLY_FAILED)
    assert (printed["created"], printed["failed"]) == (2, 1)


def test_an_evaluation_lists_what_could_not_be_read(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    service = FakeService()

    @contextmanager
    def connected(*_: object, **__: object) -> Iterator[FakeService]:
        yield service

    monkeypatch.setattr("xmirad.cli.commands.evaluate.connected", connected)
    result = _run("evaluate", data, "--exclude", "masks", "--json")
    assert result.stdout, repr(result.exception)
    report = from_json(result.stdout)
    assert report.counts.queries == 6
    assert [(each.file, each.reason) for each in report.all_failures] == [("gone.png", "FILE_UNREADABLE")]


def test_every_command_that_reads_a_data_set_passes_the_options_on(
    monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path
) -> None:
    asked: list[Selection] = []

    class Enough(Exception):
        pass

    def read(*_: object, selection: Selection, **__: object) -> None:
        asked.append(selection)
        raise Enough

    for module in ("cli.evaluation_data", "training.data", "datasets.reading"):  # importers before what they import
        monkeypatch.setattr(f"xmirad.{module}.read_dataset", read)
    monkeypatch.setattr("xmirad.training.data.read_training_data", read)
    trains = SimpleNamespace(check_room_for_model=lambda *_: None, TrainingRequest=None, train=None)
    monkeypatch.setitem(sys.modules, "xmirad.training.train", trains)  # spares the import of torch
    monkeypatch.setenv("XMIRAD_HOME", str(tmp_path / "home"))
    options = (
        "--include",
        "a",
        "--include",
        "b",
        "--exclude",
        "c",
        "--images",
        data,
        "--skip-missing",
        "--frames",
        "first",
    )
    commands: list[tuple[str | Path, ...]] = [
        ("index", data, "-a", "x"),
        ("evaluate", data),
        ("figures", data, "-o", tmp_path / "figures"),
        ("archive", "calibrate", "x", "--data", data),
        ("train", "--config", "covidx", "--data", data),
    ]
    for words in commands:
        assert isinstance(_run(*words, *options).exception, Enough), words
    expected = Selection(("a", "b"), ("c",), images=data, skip_missing=True, frames=FrameChoice.FIRST)
    assert asked == [expected] * len(commands)
