import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from support.fake_evaluation import CONTROL, FakeService, write_pixels
from xmirad.cli.main import app
from xmirad.evaluation.report_json import from_json

COLUMNS = "path,external_id,labels,split,patient_id"


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    service = FakeService()

    @contextmanager
    def connected(*_: object, **__: object) -> Iterator[FakeService]:
        yield service

    monkeypatch.setattr("xmirad.cli.commands.evaluate.connected", connected)
    return service


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write a manifest of three splits, six images each."""
    rows = [COLUMNS]
    for at, split in enumerate(("test", "train", "val")):
        for number in range(6):
            dark = number % 2
            pixels = [10, 10 * number + at, 200, 200 - number] if dark else [200, 200, 10 + at, number]
            write_pixels(tmp_path / "set" / f"{split}{number}.png", pixels)
            rows.append(f"{split}{number}.png,{split}{number},{'dark' if dark else 'bright'},{split},{split}-{number}")
    (tmp_path / "set" / "manifest.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "set"


def _run(*args: object) -> Result:
    return CliRunner().invoke(app, list(map(str, args)))


def _evaluated(data: Path, output: Path, *flags: str) -> Path:
    result = _run("evaluate", data, "--split", "test", "--output", output, *flags)
    assert result.exit_code == 0, result.output
    return output / "report.json"


def test_queries_are_ranked_against_the_split_that_is_named(data: Path, tmp_path: Path) -> None:
    flags = ("--archive-split", "train", "--calibration-split", "val", "--ood-data", str(data))
    report = from_json(_evaluated(data, tmp_path / "out", *flags).read_text())
    assert report.archive_dataset is not None
    assert report.archive_dataset.name.endswith("train")
    assert report.lab is not None
    assert report.lab.calibration is not None
    assert report.lab.calibration.fitted_on.startswith("6 queries of ")
    assert report.lab.detections[0].kind == "other data"
    assert report.lab.detections[0].outside_count == 12  # the training split's own images are left out


@pytest.mark.parametrize(
    "flags",
    [
        ("--archive-split", "test"),
        ("--calibration-split", "test"),
        ("--archive-split", "train", "--calibration-split", "train"),
        ("--archive-split", "absent"),
    ],
)
def test_splits_that_are_the_same_or_absent_are_refused(data: Path, flags: tuple[str, ...]) -> None:
    result = _run("evaluate", data, "--split", "test", *flags)
    assert result.exit_code == 2
    assert "error: " in result.stderr


def test_a_patient_in_both_splits_is_an_error_of_one_line(data: Path) -> None:
    manifest = data / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("train-3", "test-1"))
    result = _run("evaluate", data, "--split", "test", "--archive-split", "train")
    assert result.exit_code == 2
    assert "test1.png and train3.png" in result.stderr
    assert "test-1" not in result.stderr


def test_two_reports_are_compared_and_the_comparison_is_written(data: Path, tmp_path: Path) -> None:
    first = _evaluated(data, tmp_path / "a")
    second = _evaluated(data, tmp_path / "b", "--model", CONTROL.display_name)
    result = _run("compare", first, second.parent, "--output", tmp_path / "difference")
    assert result.exit_code == 0
    assert "B - A [95 %]" in result.stdout
    document = json.loads((tmp_path / "difference" / "comparison.json").read_text())
    assert document["groups"][0]["query_count"] == 6
    assert "<html" in (tmp_path / "difference" / "comparison.html").read_text()
    assert json.loads(_run("compare", first, second, "--json").stdout) == document


def test_what_is_no_report_cannot_be_compared(data: Path, tmp_path: Path) -> None:
    first = _evaluated(data, tmp_path / "a")
    for other in (tmp_path / "absent.json", data / "manifest.csv"):
        result = _run("compare", first, other)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")


def test_the_page_of_a_report_is_made_again_with_figures(data: Path, tmp_path: Path) -> None:
    report = _evaluated(data, tmp_path / "a")
    made = tmp_path / "made"
    made.mkdir()
    (made / "s1.svg").write_text("<svg></svg>")
    figure = {"name": "s1", "title": "Layout of it all", "caption": "", "file": "s1.svg", "numbers": {}}
    (made / "figures.json").write_text(json.dumps({"schema": "xmirad.figures/1", "figures": [figure]}))
    result = _run("report", report, data, "--split", "test", "--figures", made)
    assert result.exit_code == 0, result.output
    assert "Layout of it all" in report.with_name("report.html").read_text()
    assert _run("report", report, data, "--split", "train").exit_code == 2
    assert _run("report", report, data, "--split", "test", "--archive-split", "train").exit_code == 2


def test_the_page_against_a_separate_archive_needs_its_split(data: Path, tmp_path: Path) -> None:
    report = _evaluated(data, tmp_path / "a", "--archive-split", "train")
    refused = _run("report", report, data, "--split", "test")
    assert refused.exit_code == 2
    assert "were ranked against" in refused.stderr
    page = tmp_path / "again.html"
    made = _run("report", report, data, "--split", "test", "--archive-split", "train", "--output", page)
    assert made.exit_code == 0, made.output
    assert page.read_text() == report.with_name("report.html").read_text()


def test_an_output_that_is_no_page_is_a_folder(data: Path, tmp_path: Path) -> None:
    report = _evaluated(data, tmp_path / "a")
    made = _run("report", report, data, "--split", "test", "--output", tmp_path / "rep2")
    assert made.exit_code == 0, made.output
    assert "<html" in (tmp_path / "rep2" / "report.html").read_text()
