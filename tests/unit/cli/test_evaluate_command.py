import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from support.fake_evaluation import FakeService, write_pixels
from xmirad.cli.demonstration import comparison
from xmirad.cli.main import app
from xmirad.evaluation.report_json import from_json


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    service = FakeService()

    @contextmanager
    def connected(*_: object) -> Iterator[FakeService]:
        yield service

    monkeypatch.setattr("xmirad.cli.commands.evaluate.connected", connected)
    return service


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    for number in range(3):
        write_pixels(folder / "bright" / f"b{number}.png", [200, 200, 10, number])
        write_pixels(folder / "dark" / f"d{number}.png", [10, number, 200, 200])
    return folder


def _run(*args: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", *args])


def test_evaluate_prints_tables_and_the_intended_use(data: Path) -> None:
    result = _run(str(data))
    assert result.exit_code == 0
    assert "mAP" in result.stdout
    assert "1.000 [1.000, 1.000]" in result.stdout
    assert result.stdout.endswith("Research and decision support only.\n")
    assert "Searching tiny: 6/6" in result.stderr
    assert "\x1b" not in result.output


def test_evaluate_prints_the_report_as_json(data: Path) -> None:
    report = from_json(_run(str(data), "--json").stdout)
    assert report.overall.figures["mean_average_precision"].value == pytest.approx(1.0)
    assert report.counts.queries == 6


def test_evaluate_writes_its_report_and_page(data: Path, tmp_path: Path) -> None:
    result = _run(str(data), "--output", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert json.loads((tmp_path / "out" / "report.json").read_text())["dataset"]["item_count"] == 6
    assert "<html" in (tmp_path / "out" / "report.html").read_text()


def test_a_gate_that_is_not_reached_exits_with_4_after_the_report(data: Path) -> None:
    write_pixels(data / "dark" / "odd.png", [200, 199, 10, 9])
    result = _run(str(data), "--min-map", "0.99", "--json")
    assert result.exit_code == 4
    assert from_json(result.stdout).counts.queries == 7
    assert "below the required 0.99" in result.stderr
    assert _run(str(data), "--min-map", "0.1").exit_code == 0


def test_a_gate_beyond_1_is_usage(data: Path) -> None:
    assert _run(str(data), "--min-map", "58").exit_code == 2


def test_an_unknown_model_is_an_error_of_one_line(data: Path) -> None:
    result = _run(str(data), "--model", "absent")
    assert result.exit_code == 1
    assert result.stderr == "error: no such model [MODEL_NOT_FOUND]\n"


def test_models_are_compared_side_by_side(data: Path) -> None:
    report = from_json(_run(str(data), "--json").stdout)
    table = comparison([report, report])
    assert table.columns == ("Figure", "pixels", "pixels")
    assert [row[0] for row in table.rows] == ["mAP", "mP@1", "mP@5", "mP@10"]
