import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from support.fake_evaluation import CONTROL, FakeService, write_pixels
from xmirad.cli.demonstration import comparison
from xmirad.cli.main import app
from xmirad.errors import ItemNotFoundError
from xmirad.evaluation.report_json import from_json


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


def test_a_video_beside_the_images_is_named_and_ends_with_5(data: Path) -> None:
    movie = data / "dark" / "movie.png"
    movie.touch()
    os.truncate(movie, 3 << 30)
    result = _run(str(data))
    assert result.exit_code == 5
    limit = FakeService().server_info().max_image_bytes
    message = (
        f"failed: movie.png (upload): the file has 3221225472 bytes; the service accepts {limit} [IMAGE_TOO_LARGE]"
    )
    assert message in result.stdout


def test_a_gate_that_is_not_reached_goes_before_failed_images(data: Path) -> None:
    (data / "dark" / "gone.png").symlink_to("/dev/null")
    write_pixels(data / "dark" / "odd.png", [200, 199, 10, 9])
    assert _run(str(data), "--min-map", "0.99").exit_code == 4


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


@pytest.mark.parametrize(
    ("flags", "drawn", "queries"),
    [
        (["--saliency"], 10, 6),
        (["--saliency-queries", "2"], 2, 4),
        (["--saliency", "--saliency-queries", "1"], 1, 2),
        (["--saliency-all"], None, 6),
        (["--saliency-control", CONTROL.display_name], 10, 6),
    ],
)
def test_every_flag_of_saliency_has_maps_evaluated(
    data: Path, flags: list[str], drawn: int | None, queries: int
) -> None:
    saliency = from_json(_run(str(data), "--json", *flags).stdout).saliency
    assert saliency is not None
    assert (saliency.queries_per_class, saliency.evaluated.queries) == (drawn, queries)
    assert (saliency.control is not None) == ("--saliency-control" in flags)


def test_maps_are_printed_with_those_that_failed(data: Path, service: FakeService) -> None:
    service.refusals = [ItemNotFoundError("it is gone")]
    result = _run(str(data), "--saliency-queries", "1", "--saliency-control", CONTROL.display_name)
    assert result.exit_code == 5
    assert "Maps on the first result: activation" in result.stdout
    assert "dark, random weights" in result.stdout
    assert "(explain): occlusion map on " in result.stdout
    assert "it is gone [ITEM_NOT_FOUND]" in result.stdout
    assert "Explaining tiny: 2/2" in result.stderr


def test_some_and_all_queries_exclude_each_other(data: Path) -> None:
    result = _run(str(data), "--saliency-all", "--saliency-queries", "3")
    assert result.exit_code == 2
    assert "FIELD_INVALID" in result.stderr


def test_a_service_without_a_queue_cannot_have_its_maps_evaluated(data: Path, service: FakeService) -> None:
    service.features = ()
    assert "xmirad up" in _run(str(data), "--saliency").stderr
